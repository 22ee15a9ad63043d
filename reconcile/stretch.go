package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// difference is what a stretch of the portal and the mirror's rows do not agree on.
type difference struct {
	repairs []repair
	absent  []int64
	done    []leads.Finding // noted by an earlier part of the run, which repaired them
	// back are leads whose rows are right but marked as absent: were that left, a portal that
	// once said "Not found" of many would keep the breaker open for ever.
	back []leads.Snapshot
}

// repair is a snapshot that is to be written and what it means. What is only late is
// written like the rest and is no finding.
type repair struct {
	snap    leads.Snapshot
	finding leads.Finding
	late    bool
}

// stretch reads, compares and repairs the next stretch. It is done when its checkpoint,
// sums and findings are saved, which happens at once or not at all.
func (p *Pass) stretch(ctx context.Context) error {
	p.run = p.saved
	if err := p.recall(ctx); err != nil {
		return err
	}
	page, err := p.read(ctx)
	if err != nil {
		return fmt.Errorf("read leads above %d: %w", p.run.Checkpoint, err)
	}
	p.end(&page)
	found, absent, err := p.compare(ctx, page)
	if err != nil {
		return err
	}
	more, err := p.ask(ctx, absent)
	if err != nil {
		return err
	}
	p.run.Checkpoint = page.UpTo
	p.account()
	return p.kept(p.Ledger.Settle(ctx, p.run, p.recorded(append(found, more...))))
}

// end ends the walk where the list ended with a lead that was created after the pass had
// begun: ids ascend, so what is beyond is younger still, and the business of events. A
// portal where leads are added all the time would never show an empty page.
func (p *Pass) end(page *leads.Page) {
	if !p.run.PortalAt.IsZero() && page.Newest.After(p.run.PortalAt) {
		page.Last, page.UpTo = true, leads.MaxID
	}
}

// recall reads what a part of the run that was killed has noted and not settled.
func (p *Pass) recall(ctx context.Context) error {
	noted, err := p.Ledger.Noted(ctx, p.run.ID)
	p.noted = make(map[int64]leads.Finding, len(noted))
	for _, f := range noted {
		p.noted[f.Ref.LeadID] = f
	}
	return err
}

// read is the next stretch, by the way of the run's mode.
func (p *Pass) read(ctx context.Context) (leads.Page, error) {
	switch p.run.Mode {
	case leads.RunChanged:
		return p.readChanged(ctx)
	case leads.RunIDs:
		return p.Portal.IDs(ctx, p.run.Checkpoint)
	case leads.RunFull, leads.RunImport:
	}
	return p.Portal.Scan(ctx, p.run.Checkpoint)
}

// compare holds the turn while it compares a stretch with the mirror's rows and repairs
// them. It returns the ids of rows that the portal did not show.
func (p *Pass) compare(ctx context.Context, page leads.Page) (found []leads.Finding, absent []int64, err error) {
	p.Turn.Lock()
	defer p.Turn.Unlock()
	var d difference
	switch p.run.Mode {
	case leads.RunChanged:
		d, err = p.changes(ctx, page)
	case leads.RunIDs:
		d, err = p.strangers(ctx, page)
	case leads.RunFull, leads.RunImport:
		d, err = p.differences(ctx, page)
	}
	if err != nil {
		return nil, nil, err
	}
	p.run.Scanned += int64(len(page.Snapshots))
	if err := p.lateness(ctx, d.repairs); err != nil {
		return nil, nil, err
	}
	if found, err = p.repair(ctx, d.repairs); err == nil && len(d.back) > 0 {
		_, err = p.apply(ctx, d.back) // this takes the mark away, and changes nothing else
	}
	for _, f := range d.done {
		p.count(f)
	}
	return append(d.done, found...), d.absent, err
}

// rowsAtOnce bounds the rows that are compared at a time, and with them the memory.
const rowsAtOnce = 500

// differences walks both sides by ascending id.
func (p *Pass) differences(ctx context.Context, page leads.Page) (difference, error) {
	return p.walk(ctx, page, p.Mirror.Range, p.both)
}

// rowsOf reads a range of rows.
type rowsOf func(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)

func (p *Pass) walk(ctx context.Context, page leads.Page, rowsOf rowsOf, both func(*difference, leads.Snapshot, leads.Row)) (difference, error) {
	var d difference
	shown := page.Snapshots
	for after := p.run.Checkpoint; ; {
		rows, err := rowsOf(ctx, p.run.MemberID, after, page.UpTo, rowsAtOnce)
		if err != nil {
			return d, fmt.Errorf("read rows above %d: %w", after, err)
		}
		for _, row := range rows {
			for len(shown) > 0 && shown[0].LeadID < row.LeadID {
				p.missed(&d, shown[0])
				shown = shown[1:]
			}
			if len(shown) > 0 && shown[0].LeadID == row.LeadID {
				both(&d, shown[0], row)
				shown = shown[1:]
				continue
			}
			p.unshown(&d, row, page.Ticket)
		}
		if len(rows) < rowsAtOnce {
			break
		}
		after = rows[len(rows)-1].LeadID
	}
	for _, snap := range shown {
		p.missed(&d, snap)
	}
	return d, nil
}

// unshown is a row that the portal's list has left out.
func (p *Pass) unshown(d *difference, row leads.Row, ticket leads.Ticket) {
	noted, was := p.noted[row.LeadID]
	switch {
	case row.Deleted && was && noted.Kind == leads.FindingPhantom:
		noted.Repaired = leads.Deleted
		d.done = append(d.done, noted)
	case !row.Deleted && row.Ticket < ticket, was && !row.Deleted:
		d.absent = append(d.absent, row.LeadID)
	}
}

// both is a lead that the portal shows and the mirror has a row of.
func (p *Pass) both(d *difference, snap leads.Snapshot, row leads.Row) {
	switch {
	case row.Ticket > snap.Ticket: // a later read has been here already
		p.right(d, snap.LeadID)
	case row.Deleted:
		p.missed(d, snap)
	case snap.Err != nil:
		d.add(snap, p.finding(leads.FindingStale, snap))
	default:
		p.columns(d, snap, row)
	}
}

// columns compares a card with what the row's columns and contacts hold now.
func (p *Pass) columns(d *difference, snap leads.Snapshot, row leads.Row) {
	fields := row.Differences(&snap.Lead)
	if len(fields) == 0 {
		p.right(d, snap.LeadID)
		if row.Absent {
			d.back = append(d.back, snap)
		}
		return
	}
	snap.Force = true // somebody may have altered the row and not its hash
	f := p.finding(leads.FindingStale, snap)
	f.Fields = fields
	stored, err := leads.Parse(row.Raw)
	if row.Hash == snap.Lead.Hash() || err == nil && len(leads.Diff(&stored, &snap.Lead)) == 0 {
		f.Cause, f.Behind = causeAltered, 0
	}
	d.add(snap, f)
}

// right is a lead whose row is as it should be: either it was, or an earlier part of the
// run has repaired it and did not live to say so.
func (p *Pass) right(d *difference, id int64) {
	noted, was := p.noted[id]
	switch {
	case was && noted.Kind == leads.FindingMissed:
		noted.Repaired = leads.Inserted
	case was && noted.Kind == leads.FindingStale:
		noted.Repaired = leads.Updated
	default:
		p.run.Unchanged++
		return
	}
	d.done = append(d.done, noted)
}

func (p *Pass) missed(d *difference, snap leads.Snapshot) {
	d.add(snap, p.finding(leads.FindingMissed, snap))
}

func (d *difference) add(snap leads.Snapshot, finding leads.Finding) {
	d.repairs = append(d.repairs, repair{snap: snap, finding: finding})
}

// finding is what was found of a lead, with what the card says of when it was changed.
func (p *Pass) finding(kind leads.FindingKind, snap leads.Snapshot) leads.Finding {
	f := leads.Finding{RunID: p.run.ID, Ref: p.ref(snap.LeadID), Kind: kind, FoundAt: p.Now()}
	if changed, ok := modified(snap); ok {
		f.Behind = max(0, p.Now().Add(p.ahead).Sub(changed))
	}
	return f
}

// modified is when the portal changed the lead last, by its clock.
func modified(snap leads.Snapshot) (time.Time, bool) {
	if len(snap.Lead.Values) != len(leads.Fields) {
		return time.Time{}, false
	}
	return leads.ParseTime(snap.Lead.Value("DATE_MODIFY"))
}

// repair writes what differs and returns what is to be recorded of it. It is noted
// first: a process that is killed after the write leaves word of it.
func (p *Pass) repair(ctx context.Context, repairs []repair) ([]leads.Finding, error) {
	if len(repairs) == 0 {
		return nil, nil
	}
	if err := p.note(ctx, repairs); err != nil {
		return nil, err
	}
	snaps := make([]leads.Snapshot, len(repairs))
	for i, r := range repairs {
		snaps[i] = r.snap
	}
	outcomes, err := p.apply(ctx, snaps)
	if err != nil {
		return nil, err
	}
	var found []leads.Finding
	for i, r := range repairs {
		f := r.finding
		f.Repaired = outcomes[i].Verdict
		if _, was := p.noted[f.Ref.LeadID]; f.Repaired == leads.Older || r.late && !was {
			p.written(f.Repaired)
			continue // somebody was faster: it was not missed, only late
		}
		p.count(f)
		found = append(found, f)
	}
	return found, nil
}

// note writes findings down as pending. A dry run repairs nothing that could be lost.
func (p *Pass) note(ctx context.Context, repairs []repair) error {
	if p.run.DryRun {
		return nil
	}
	var fresh []leads.Finding
	for _, r := range repairs {
		if _, was := p.noted[r.finding.Ref.LeadID]; !was && !r.late {
			f := r.finding
			f.Repaired = leads.Pending
			fresh = append(fresh, f)
		}
	}
	if err := p.Ledger.AddFindings(ctx, p.recorded(fresh)); err != nil {
		return fmt.Errorf("note what differs: %w", err)
	}
	return nil
}

// recorded are the findings that go into the ledger: an import finds everything missing,
// which explains nothing.
func (p *Pass) recorded(findings []leads.Finding) []leads.Finding {
	if p.run.Mode == leads.RunImport {
		return nil
	}
	return findings
}

// apply writes snapshots unless this is a dry run.
func (p *Pass) apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	outcomes := make([]leads.Outcome, len(snaps))
	if p.run.DryRun {
		return outcomes, nil
	}
	var good []leads.Snapshot
	var places []int
	for i, s := range snaps {
		s.MemberID, s.Cause = p.run.MemberID, p.cause
		if s.Err == nil {
			good, places = append(good, s), append(places, i)
			continue
		}
		outcomes[i] = leads.Outcome{Ref: s.Ref, Verdict: leads.Failed, Err: s.Err}
	}
	written, err := p.Mirror.Apply(ctx, good)
	if err != nil {
		return nil, fmt.Errorf("write %d leads: %w", len(good), err)
	}
	for i, o := range written {
		outcomes[places[i]] = o
	}
	p.Wake()
	return outcomes, p.failures(ctx, snaps, outcomes)
}

// failures keeps the cards of leads that cannot be written.
func (p *Pass) failures(ctx context.Context, snaps []leads.Snapshot, outcomes []leads.Outcome) error {
	var errs []error
	for i, o := range outcomes {
		if o.Verdict != leads.Failed {
			continue
		}
		p.Log.ErrorContext(ctx, "lead cannot be written", "member_id", p.run.MemberID, "lead_id", snaps[i].LeadID, "error", o.Err)
		errs = append(errs, p.Mirror.RecordFailure(ctx, p.ref(snaps[i].LeadID), o.Err.Error(), snaps[i].Lead.Raw))
	}
	return errors.Join(errs...)
}

// count adds a finding and what became of it to the sums.
func (p *Pass) count(f leads.Finding) {
	switch f.Kind {
	case leads.FindingMissed:
		p.run.Missed++
	case leads.FindingStale:
		p.run.Stale++
	case leads.FindingPhantom:
		p.run.Phantom++
	case leads.FindingUnreadable:
		p.run.Unreadable++
	}
	p.written(f.Repaired)
}

func (p *Pass) written(v leads.Verdict) {
	switch v {
	case leads.Inserted:
		p.run.Inserted++
	case leads.Updated:
		p.run.Updated++
	case leads.Deleted:
		p.run.Deleted++
	case leads.Unchanged, leads.Older, leads.Missing, leads.Withheld, leads.Pending, leads.Failed:
	}
}
