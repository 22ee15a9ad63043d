package leads

import (
	"fmt"
	"time"
)

// Sight is what a read saw of a lead.
type Sight int

// What a read can see. The portal answers "Not found" and "Access denied." as
// different things, and only the first can mean that a lead was deleted.
const (
	Present Sight = iota // the card is there
	Absent               // "Not found"
	Denied               // "Access denied.": the lead exists, we may not read it
)

// Cause says what made us read a lead; subscribers see it.
type Cause string

// The causes of a read.
const (
	CauseEvent     Cause = "event"
	CauseOffline   Cause = "offline"
	CauseReconcile Cause = "reconcile"
	CauseImport    Cause = "import"
)

// Snapshot is what one read of the portal said about one lead.
type Snapshot struct {
	Ref
	Ticket Ticket    // drawn before the read was sent
	ReadAt time.Time // when the answer had arrived, by our clock
	Cause  Cause
	Sight  Sight
	Lead   Lead // where Sight is Present
	// Proven says that an Absent lead is known to be deleted: its delete callback
	// came, or it was absent at least the grace period ago already.
	Proven bool
	// Force has the row written even where its stored hash says that nothing changed:
	// somebody altered its columns behind our back.
	Force bool
	// Err says that the portal's answer for this lead cannot be read as a lead; what
	// it sent is in Lead.Raw, and Sight means nothing.
	Err error
}

// Verdict is what became of a snapshot in the mirror.
type Verdict int

// The verdicts.
const (
	Unchanged Verdict = iota // the row says the same already; nothing but its ticket is written
	Inserted                 // there was no row, or a tombstone
	Updated
	Deleted // the row became a tombstone
	Older   // the row has seen a later read
	Missing // absent for the first time: noted, deleted when it is absent again after the grace period
	// Withheld is a deletion that the breaker has stopped: the row stays, noted as absent.
	Withheld
	// Pending is what is written of a repair before it is made.
	Pending
	Failed // this lead alone could not be written; Outcome.Err says why
)

// String names the verdict as metrics and logs do.
func (v Verdict) String() string {
	return [...]string{"unchanged", "inserted", "updated", "deleted", "older", "missing", "withheld", "pending", "failed"}[v]
}

// Outcome is what became of one snapshot.
type Outcome struct {
	Ref
	Verdict  Verdict
	Revision int64    // of the row after it; 0 where there is none
	Changed  []string // names of the fields that changed, sorted
	Err      error    // where Verdict is Failed
}

// Wrote tells whether the row changed, and so was announced.
func (o Outcome) Wrote() bool {
	return o.Verdict == Inserted || o.Verdict == Updated || o.Verdict == Deleted
}

// Page is one stretch of a keyset scan: every lead with an id above the one asked for
// and up to UpTo is in Snapshots, each only once.
type Page struct {
	Snapshots []Snapshot // ascending
	Ticket    Ticket     // of the read
	At        time.Time  // when it was answered, by the portal's clock and in its zone; zero unknown
	UpTo      int64      // where the next page begins; MaxID where Last
	Last      bool       // the portal has no lead beyond
	// Newest is when the last lead was created, by the portal's clock, where the list ended
	// with it; zero where it went on, or nobody knows.
	Newest time.Time
}

// Append adds the rows of the next list to the page. They must ascend from where the
// page ends: a portal that shows a row again, or one from before, has lost its place.
func (p *Page) Append(rows []Snapshot) error {
	for _, row := range rows {
		if row.LeadID <= p.UpTo {
			return fmt.Errorf("the list goes back from lead %d to lead %d", p.UpTo, row.LeadID)
		}
		p.UpTo = row.LeadID
	}
	p.Snapshots = append(p.Snapshots, rows...)
	return nil
}
