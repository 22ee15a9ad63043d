package leads

import "time"

// Standing is what a portal's owner stores about it for other processes.
type Standing struct {
	Bound   []string  // the events that it sends to us, as "EVENT URL"
	BoundAt time.Time // when Bound was read from the portal; zero where never
	Owner   string    // the process that became its owner last
	Epoch   int64     // of that owner, see Ticket
	Budget  Budget
	BeatAt  time.Time // when the owner last noted that it serves the portal; zero where never
	Note    string    // what people should know of the portal and is no problem; "" is nothing
	// Problem is why the portal as a whole cannot be read, and what a person does about it;
	// "" where there is no problem. ProblemSince is when it began.
	Problem      string
	ProblemSince time.Time
	ProblemParts string // what fails, as the owner has written it for the next one
}

// Budget is the state of a portal's request budget.
type Budget struct {
	At       time.Time // when it was stored; zero where never
	Level    float64   // requests in the bucket that we know of
	Depth    float64   // the level up to which we fill the bucket, in requests
	Plan     string    // whose limits apply: standard or enterprise
	Share    float64   // our share of the limit, 1 or less while others use our IP address
	Refusals int64     // requests that the portal rejected since its owner took it
}
