package leads

import "time"

// LastCallback is the last callback of a lead that was dealt with.
type LastCallback struct {
	LeadID     int64
	Event      string    // Bitrix24's name of it
	ReceivedAt time.Time // by our clock
}

// Failing is a lead that could not be written and is tried again, or was given up. It
// outlives the notices that come meanwhile.
type Failing struct {
	Ref
	Event         string // of the last notice; ONCRMLEADDELETE proves an absence
	Reason        string // of the last failure
	Attempts      int
	FirstAt       time.Time
	LastAt        time.Time
	NextAttemptAt time.Time // zero: it was given up, and is parked as a dead letter
}

// Parked tells whether the lead was given up.
func (f Failing) Parked() bool { return f.NextAttemptAt.IsZero() }
