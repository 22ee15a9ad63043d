package leads

import "time"

// Standing is what a portal's owners note of it for others to see.
type Standing struct {
	Bound   []string  // the events it sends to us, as "EVENT URL"
	BoundAt time.Time // when that was looked up; zero never
	Owner   string    // the process that took it last
	Epoch   int64
	Budget  Budget
}

// Budget is how a portal's request budget stands.
type Budget struct {
	At       time.Time // when it was noted; zero never
	Level    float64   // requests in the bucket, as far as they are ours
	Depth    float64   // up to which we fill it
	Plan     string    // whose limits it follows: standard or enterprise
	Share    float64   // 1, or less while others use our address
	Refusals int64     // by the portal, since its owner took it
}
