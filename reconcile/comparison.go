package reconcile

import (
	"time"

	"leadsync/leads"
)

// Facts is what a comparison knows of its run and window.
type Facts struct {
	RunID, MemberID string
	// Ticket is that of the read: a row with a later one has seen a later read.
	Ticket leads.Ticket
	// Noted are findings, by lead, that a killed part of the run has noted and not settled.
	Noted map[int64]leads.Finding
	// Now is our clock; PortalAhead is by how much the portal's clock is ahead of it.
	Now         time.Time
	PortalAhead time.Duration
	// IDsOnly says that snapshots and rows have nothing but their ids and tickets.
	IDsOnly bool
}

// Differences is what a window of the portal and the mirror's rows do not agree on.
type Differences struct {
	Unchanged int64 // leads whose rows are right, and were
	Repairs   []Repair
	// Settled are noted findings whose repair the killed part of the run had made.
	Settled []leads.Finding
	// Absent are ids of rows that the portal did not show: whether their leads exist has to
	// be asked one by one.
	Absent []int64
	// Lacking are ids of leads that the mirror lacks and whose cards have to be read, where
	// IDsOnly is set.
	Lacking []int64
	// Returned are leads whose rows are right but marked as absent. If that were left, a
	// portal that once said "Not found" of many would keep the breaker open for ever. Leads
	// with odd fields are here, too: Apply marks them once.
	Returned []leads.Snapshot
}

// Repair is a snapshot to write, and what it means. A late one is written like the others
// and is no finding.
type Repair struct {
	Snapshot leads.Snapshot
	Finding  leads.Finding
	Late     bool
}

// Comparison compares a window of the portal with the mirror's rows. Both come in
// ascending order of ids. It reads and writes nothing.
type Comparison struct {
	facts Facts
	shown []leads.Snapshot // not compared yet
	found Differences
}

// NewComparison begins to compare the leads that the portal showed in a window.
func NewComparison(facts Facts, shown []leads.Snapshot) *Comparison {
	return &Comparison{facts: facts, shown: shown}
}

// AddRow compares the next row.
func (c *Comparison) AddRow(row leads.Row) {
	for len(c.shown) > 0 && c.shown[0].LeadID < row.LeadID {
		c.addMissed(c.shown[0])
		c.shown = c.shown[1:]
	}
	if len(c.shown) == 0 || c.shown[0].LeadID != row.LeadID {
		c.addUnseen(row)
		return
	}
	c.compare(c.shown[0], row)
	c.shown = c.shown[1:]
}

// Finish returns what differs, when all rows of the window were added.
func (c *Comparison) Finish() Differences {
	for _, snap := range c.shown {
		c.addMissed(snap)
	}
	c.shown = nil
	return c.found
}

// missed is the repair of a lead that the mirror lacks.
func (c *Comparison) missed(snap leads.Snapshot) Repair {
	if snap.Err != nil {
		return c.unprocessable(snap)
	}
	return Repair{Snapshot: snap, Finding: c.finding(leads.FindingMissed, snap)}
}

func (c *Comparison) addMissed(snap leads.Snapshot) {
	if c.facts.IDsOnly {
		c.found.Lacking = append(c.found.Lacking, snap.LeadID)
		return
	}
	c.found.Repairs = append(c.found.Repairs, c.missed(snap))
}

// addUnseen takes a row that the portal did not show.
func (c *Comparison) addUnseen(row leads.Row) {
	noted, wasNoted := c.facts.Noted[row.LeadID]
	switch {
	case row.Deleted && wasNoted && noted.Kind == leads.FindingPhantom:
		noted.Repaired = leads.Deleted
		c.found.Settled = append(c.found.Settled, noted)
	case !row.Deleted && (wasNoted || row.Ticket < c.facts.Ticket):
		c.found.Absent = append(c.found.Absent, row.LeadID)
	}
}

// compare compares a lead with its row.
func (c *Comparison) compare(snap leads.Snapshot, row leads.Row) {
	switch {
	case row.Ticket > snap.Ticket: // a later read has written it
		c.addEqual(snap.LeadID)
	case row.Deleted:
		c.addMissed(snap)
	case c.facts.IDsOnly:
		c.addEqual(snap.LeadID)
	case snap.Err != nil:
		c.found.Repairs = append(c.found.Repairs, c.unprocessable(snap))
	default:
		c.compareCard(snap, row)
	}
}

// unprocessable is a lead that the portal has, and whose answer cannot be used: the row
// stays as it is.
func (c *Comparison) unprocessable(snap leads.Snapshot) Repair {
	return Repair{Snapshot: snap, Finding: unprocessable(c.finding(leads.FindingUnprocessable, snap), snap.Err)}
}

func unprocessable(f leads.Finding, err error) leads.Finding {
	f.Kind, f.Cause = leads.FindingUnprocessable, "the portal's answer for this lead cannot be used: "+err.Error()
	return f
}

// compareCard compares a card with what the row's columns and contacts hold now.
func (c *Comparison) compareCard(snap leads.Snapshot, row leads.Row) {
	fields := row.Differences(&snap.Lead)
	if len(fields) == 0 {
		c.addEqual(snap.LeadID)
		if row.Absent || len(snap.Lead.Odd) > 0 {
			c.found.Returned = append(c.found.Returned, snap)
		}
		return
	}
	snap.Force = true // somebody may have altered the row and not its hash
	f := c.finding(leads.FindingStale, snap)
	f.Fields = fields
	stored, err := leads.Parse(row.Raw)
	card := snap.Lead.Completed(&row)
	switch {
	case row.Hash == "" && len(row.Raw) == 0:
		f.Cause, f.Behind = causeAdopted, 0
	case row.Hash == card.Hash() || err == nil && len(leads.Diff(&stored, card)) == 0:
		f.Cause, f.Behind = causeAltered, 0
	}
	c.addStale(snap, f)
}

func (c *Comparison) addStale(snap leads.Snapshot, finding leads.Finding) {
	c.found.Repairs = append(c.found.Repairs, Repair{Snapshot: snap, Finding: finding})
}

// addEqual takes a lead whose row is right: either it was, or a killed part of the run has
// repaired it and could not settle that.
func (c *Comparison) addEqual(id int64) {
	noted, wasNoted := c.facts.Noted[id]
	switch {
	case wasNoted && noted.Kind == leads.FindingMissed:
		noted.Repaired = leads.Inserted
	case wasNoted && noted.Kind == leads.FindingStale:
		noted.Repaired = leads.Updated
	default:
		c.found.Unchanged++
		return
	}
	c.found.Settled = append(c.found.Settled, noted)
}

// finding is a finding of a lead. It is behind since the card's last change.
func (c *Comparison) finding(kind leads.FindingKind, snap leads.Snapshot) leads.Finding {
	f := leads.Finding{RunID: c.facts.RunID, Ref: leads.Ref{MemberID: c.facts.MemberID, LeadID: snap.LeadID}, Kind: kind, FoundAt: c.facts.Now}
	if changed, ok := changedAt(snap); ok {
		f.Behind = max(0, c.facts.Now.Add(c.facts.PortalAhead).Sub(changed))
	}
	return f
}

// changedAt is when the portal changed the lead last, by its clock.
func changedAt(snap leads.Snapshot) (time.Time, bool) {
	if len(snap.Lead.Values) != len(leads.Fields) {
		return time.Time{}, false
	}
	return leads.ParseTime(snap.Lead.Value("DATE_MODIFY"))
}
