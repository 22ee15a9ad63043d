package leads

import (
	"fmt"
	"time"
)

// Sight is the result of a read of a lead.
type Sight int

// The results of a read. Only the answer "Not found" can mean that a lead was deleted; to
// "Access denied." it exists.
const (
	Present Sight = iota // the portal returned the card
	Absent               // "Not found"
	Denied               // "Access denied.": the lead exists, but we may not read it
)

// Cause is why leadsync read a lead; subscribers receive it.
type Cause string

// The causes of a read.
const (
	CauseEvent     Cause = "event"
	CauseOffline   Cause = "offline"
	CauseReconcile Cause = "reconcile"
	CauseImport    Cause = "import"
)

// Snapshot is the result of one read of one lead.
type Snapshot struct {
	Ref
	Ticket Ticket    // drawn before the read was sent
	ReadAt time.Time // when the answer arrived, by our clock
	Cause  Cause
	Sight  Sight
	// Waited is for how long the read waited until the portal's limits allowed it; 0 where nobody measured.
	Waited time.Duration
	Lead   Lead // set where Sight is Present
	// Proven says that an Absent lead is known to be deleted: its delete callback arrived,
	// or it has been absent for at least the grace period.
	Proven bool
	// Force compares the row's columns although its stored hash says that nothing changed:
	// somebody may have edited them by hand.
	Force bool
	// Err says that the portal's answer cannot be read as a lead. Lead.Raw then has the
	// answer, and Sight has no meaning.
	Err error
}

// Verdict is what the mirror did with a snapshot.
type Verdict int

// The verdicts.
const (
	Unchanged Verdict = iota // the row is equal; only its ticket was written
	Inserted                 // there was no row, or only a tombstone
	Updated
	Deleted // the row became a tombstone
	Older   // the row has a later read; nothing was written
	Missing // not found: noted, and deleted if it is still absent after the grace period
	// Withheld is a deletion that the breaker stopped: the row stays and is noted as absent.
	Withheld
	// Pending is the verdict of a finding until its repair is done.
	Pending
	Failed // this lead could not be written; Outcome.Err says why
)

// String returns the name of the verdict in metrics, logs and tables.
func (v Verdict) String() string {
	return [...]string{"unchanged", "inserted", "updated", "deleted", "older", "missing", "withheld", "pending", "failed"}[v]
}

// Outcome is the result of applying one snapshot.
type Outcome struct {
	Ref
	Verdict  Verdict
	Revision int64    // of the row afterwards; 0 where there is none
	Changed  []string // names of the fields that changed, sorted
	Err      error    // where Verdict is Failed
}

// Wrote reports whether the row changed and the change was announced.
func (o Outcome) Wrote() bool {
	return o.Verdict == Inserted || o.Verdict == Updated || o.Verdict == Deleted
}

// Page is one page of a keyset scan: Snapshots has every lead whose id is above the
// requested one and at most UpTo, each once.
type Page struct {
	Snapshots []Snapshot // by ascending id
	Ticket    Ticket     // drawn before the read
	At        time.Time  // time of the answer, by the portal's clock and in its zone; zero where unknown
	UpTo      int64      // the next page starts above this id; MaxID where Last
	Last      bool       // the portal has no leads above UpTo
	// Newest is when the portal's last lead was created, by the portal's clock; zero where
	// the list does not end with this page, or the time is unknown.
	Newest time.Time
}

// Append adds the rows of the next list to the page. Their ids must ascend from UpTo: a
// portal that repeats a row or goes back would make the scan endless, so that is an error.
func (p *Page) Append(rows []Snapshot) error {
	for _, row := range rows {
		if row.LeadID <= p.UpTo {
			return fmt.Errorf("list of leads: id %d after %d, want ascending ids", row.LeadID, p.UpTo)
		}
		p.UpTo = row.LeadID
	}
	p.Snapshots = append(p.Snapshots, rows...)
	return nil
}
