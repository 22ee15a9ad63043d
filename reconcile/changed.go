package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// overlap is how much of the time before its watermark a changed pass reads again: what
// the portal committed late, and what its clock did in between.
const overlap = 5 * time.Minute

// errNoWatermark says that there is nothing to start from.
var errNoWatermark = errors.New("no pass over this portal has been completed yet: a full one has to come first")

// begin sets from when on changes are read.
func (p *Pass) begin() error {
	if !p.run.Since.IsZero() {
		return nil // an earlier part of the run did
	}
	if p.proven.IsZero() {
		return errNoWatermark
	}
	p.run.Since = p.proven.Add(-overlap)
	p.saved = p.run
	return nil
}

// readChanged asks on the portal's own clock. Where that has changed its zone since the
// pass before, the question was the wrong one, and is put again.
func (p *Pass) readChanged(ctx context.Context) (leads.Page, error) {
	for {
		page, err := p.Portal.Changed(ctx, p.run.Checkpoint, p.run.Since)
		if err != nil {
			return page, err
		}
		if page.At.IsZero() {
			if page.At, err = p.Portal.Clock(ctx); err != nil {
				return page, fmt.Errorf("ask for the portal's time: %w", err)
			}
		}
		_, now := page.At.Zone()
		if _, then := p.run.Since.Zone(); now != then {
			p.run.Since, p.run.Checkpoint = p.run.Since.In(page.At.Location()), 0
			p.saved.Since = p.run.Since
			continue
		}
		p.ahead = page.At.Sub(p.Now())
		if p.run.PortalAt.IsZero() {
			p.run.PortalAt = page.At
		}
		return page, nil
	}
}

// changes compares leads that were changed with their rows. What the portal does not
// show was simply not changed.
func (p *Pass) changes(ctx context.Context, page leads.Page) (d difference, err error) {
	if len(page.Snapshots) == 0 {
		return d, nil
	}
	ids := make([]int64, len(page.Snapshots))
	for i, s := range page.Snapshots {
		ids[i] = s.LeadID
	}
	rows, err := p.Mirror.Rows(ctx, p.run.MemberID, ids)
	if err != nil {
		return d, fmt.Errorf("read %d rows: %w", len(ids), err)
	}
	for _, snap := range page.Snapshots {
		if len(rows) > 0 && rows[0].LeadID == snap.LeadID {
			p.both(&d, snap, rows[0])
			rows = rows[1:]
			continue
		}
		p.missed(&d, snap)
	}
	return d, nil
}

// strangers compares ids alone, and reads the leads that the mirror lacks.
func (p *Pass) strangers(ctx context.Context, page leads.Page) (difference, error) {
	d, err := p.walk(ctx, page, p.Mirror.IDs, func(d *difference, snap leads.Snapshot, row leads.Row) {
		if row.Deleted && row.Ticket < snap.Ticket {
			p.missed(d, snap)
			return
		}
		p.right(d, snap.LeadID)
	})
	if err != nil || len(d.repairs) == 0 {
		return d, err
	}
	lacking := d.repairs
	d.repairs = nil
	ids := make([]int64, len(lacking))
	for i, r := range lacking {
		ids[i] = r.snap.LeadID
	}
	snaps, err := p.Portal.Leads(ctx, ids)
	if err != nil {
		return d, fmt.Errorf("read %d leads that the mirror lacks: %w", len(ids), err)
	}
	for _, s := range snaps {
		if s.Sight == leads.Present {
			p.missed(&d, s)
		}
	}
	return d, nil
}
