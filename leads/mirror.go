package leads

import "time"

// MirrorState says how far the mirror of a portal can be trusted.
type MirrorState string

// The states of a mirror.
const (
	MirrorCurrent MirrorState = "current" // every change that leadsync knows of is in SQL
	MirrorBehind  MirrorState = "behind"  // changes wait for longer than a minute
	MirrorBlind   MirrorState = "blind"   // changes may be missed: "not found" may be false
)

// MirrorStatus is the state of a portal's mirror, as subscribers and reports see it.
type MirrorStatus struct {
	MemberID    string      `json:"member_id"`
	Domain      string      `json:"domain,omitempty"`
	State       MirrorState `json:"state"`
	Since       time.Time   `json:"since"`
	BehindSince time.Time   `json:"behind_since,omitzero"` // since when the oldest change waits
	Reason      string      `json:"reason,omitempty"`      // in words; "" where it is current
	Failing     int64       `json:"failing"`               // leads that cannot be stored, those given up among them; their rows are old or lacking
	At          time.Time   `json:"at"`                    // when that was looked at last
}

// Missed is what an owner keeps of a portal's mirror besides its status.
type Missed struct {
	State MirrorState // as it was stored last; "" where never
	Since time.Time   // of State
	// At: changes before it may be missed until a pass that began later has ended; zero where
	// none is known to be missed.
	At time.Time
}

// Proofs are when the newest completed pass of each kind began.
type Proofs map[RunMode]time.Time

// Complete is the moment before which every change was compared: by a pass over all leads, or
// by one over those changed and one over the ids, which finds deletions.
func (p Proofs) Complete() time.Time {
	latest := p[RunFull]
	if p[RunImport].After(latest) {
		latest = p[RunImport]
	}
	both := p[RunChanged]
	if p[RunIDs].Before(both) {
		both = p[RunIDs]
	}
	if both.After(latest) {
		latest = both
	}
	return latest
}
