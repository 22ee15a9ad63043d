package reconcile

import (
	"context"
	"fmt"

	"leadsync/leads"
)

// ask asks one by one for rows that the list did not show. Nothing is deleted on a
// guess: a list leaves out what we may not read, and what moved while it was read.
func (p *Pass) ask(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	snaps, outcomes, err := p.askAndApply(ctx, ids)
	if err != nil {
		return err
	}
	var findings []leads.Finding
	for i, s := range snaps {
		f := leads.Finding{Ref: p.ref(s.LeadID), FoundAt: p.Now(), Repaired: outcomes[i].Verdict}
		switch {
		case s.Err != nil:
			continue
		case s.Sight == leads.Absent:
			f.Kind = leads.FindingPhantom
			p.run.Phantom++
			if outcomes[i].Verdict == leads.Missing {
				p.gone = append(p.gone, s.LeadID)
			}
		case s.Sight == leads.Denied:
			f.Kind = leads.FindingUnreadable
			p.run.Unreadable++
		case outcomes[i].Verdict == leads.Updated:
			f.Kind, f.Fields = leads.FindingStale, outcomes[i].Changed
			p.run.Stale++
		default:
			continue // it is there and right: the list had passed it by
		}
		findings = append(findings, f)
	}
	return p.record(ctx, findings)
}

// askAndApply holds the turn, like the worker does, because its read is a live one.
func (p *Pass) askAndApply(ctx context.Context, ids []int64) ([]leads.Snapshot, []leads.Outcome, error) {
	p.Turn.Lock()
	defer p.Turn.Unlock()
	snaps, err := p.Portal.Leads(ctx, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for %d leads that the list did not show: %w", len(ids), err)
	}
	outcomes, err := p.apply(ctx, snaps)
	return snaps, outcomes, err
}

// confirm asks a second time, after the grace period, for what was absent.
func (p *Pass) confirm(ctx context.Context) error {
	if len(p.gone) == 0 || p.run.DryRun {
		return nil
	}
	p.Log.InfoContext(ctx, "waiting before asking again for absent leads",
		"member_id", p.run.MemberID, "leads", len(p.gone), "grace", p.Grace)
	if err := p.Wait(ctx, p.Grace); err != nil {
		return err
	}
	snaps, outcomes, err := p.askAndApply(ctx, p.gone)
	for i, o := range outcomes {
		if snaps[i].Sight == leads.Absent && o.Verdict == leads.Unchanged {
			p.run.Deleted++ // the owner, who looks again too, was faster
		}
	}
	return err
}
