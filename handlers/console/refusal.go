package console

import "time"

// Refusal is the last time that somebody who said to be a portal was refused. Host is what the
// sender said, which anybody can invent.
type Refusal struct {
	Host string
	Why  string // with what a person can do about it
	At   time.Time
}
