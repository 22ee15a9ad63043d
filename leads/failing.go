package leads

import "time"

// LastCallback is the last callback of a lead that was handled.
type LastCallback struct {
	LeadID     int64
	Event      string    // Bitrix24's name, such as ONCRMLEADUPDATE
	ReceivedAt time.Time // by our clock
}

// Failing is the record of a lead that could not be written and is tried again or was given
// up. Later notices of the lead do not delete it.
type Failing struct {
	Ref
	Event         string // event of the last notice; ONCRMLEADDELETE proves a deletion
	Reason        string // why the last attempt failed
	Attempts      int
	FirstAt       time.Time
	LastAt        time.Time
	NextAttemptAt time.Time // zero where the lead was given up and is parked as a dead letter
}

// Parked reports whether the lead was given up.
func (f Failing) Parked() bool { return f.NextAttemptAt.IsZero() }
