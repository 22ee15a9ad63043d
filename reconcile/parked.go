package reconcile

import (
	"context"
	"fmt"
	"slices"

	"leadsync/leads"
)

// forgetParked forgets the failures of given-up leads of a window that are right again or
// gone. A later notice would do that, but a lead that nobody changes has none.
func (p *Pass) forgetParked(ctx context.Context, page leads.Page, q *inquiry) error {
	var over, unseen []leads.Failing
	for _, f := range p.parked {
		at, shown := slices.BinarySearchFunc(page.Snapshots, f.LeadID, func(s leads.Snapshot, id int64) int { return int(s.LeadID - id) })
		switch {
		case f.LeadID <= q.run.Checkpoint || f.LeadID > page.UpTo:
		case !shown:
			unseen = append(unseen, f)
		case page.Snapshots[at].Err == nil && q.repairer.right(f.LeadID):
			over = append(over, f)
		}
	}
	if p.run.Mode != leads.RunChanged { // that one shows only what was changed
		gone, err := p.gone(ctx, q, unseen)
		if err != nil {
			return err
		}
		over = append(over, gone...)
	}
	if len(over) == 0 {
		return nil
	}
	if err := p.cfg.Parked.Forget(ctx, p.run.MemberID, over); err != nil {
		return fmt.Errorf("forget that %d leads failed: %w", len(over), err)
	}
	p.cfg.Log.InfoContext(ctx, "leads that were given up are right again or gone", "member_id", p.run.MemberID, "run", p.run.ID, "leads", len(over))
	return nil
}

// gone returns those of the leads that the list did not show whose rows are tombstones, or
// which have no row and which the portal does not find.
func (p *Pass) gone(ctx context.Context, q *inquiry, unseen []leads.Failing) (gone []leads.Failing, err error) {
	for chunk := range slices.Chunk(unseen, askedAtOnce) {
		absent, err := p.absent(ctx, q, chunk)
		if err != nil {
			return nil, err
		}
		for _, f := range chunk {
			if absent[f.LeadID] {
				gone = append(gone, f)
			}
		}
	}
	return gone, nil
}

func (p *Pass) absent(ctx context.Context, q *inquiry, parked []leads.Failing) (map[int64]bool, error) {
	ids := make([]int64, len(parked))
	for i, f := range parked {
		ids[i] = f.LeadID
	}
	rows, err := p.cfg.Mirror.Rows(ctx, p.run.MemberID, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d rows: %w", len(ids), err)
	}
	absent := map[int64]bool{}
	for _, row := range rows {
		absent[row.LeadID] = row.Deleted
		ids = slices.DeleteFunc(ids, func(id int64) bool { return id == row.LeadID })
	}
	if len(ids) == 0 {
		return absent, nil
	}
	snaps, err := q.readInOrder(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("ask for %d leads that were given up: %w", len(ids), err)
	}
	p.cfg.ReadOrder.Unlock()
	for _, s := range snaps {
		absent[s.LeadID] = s.Err == nil && s.Sight == leads.Absent
	}
	return absent, nil
}
