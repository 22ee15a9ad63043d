package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// askedAtOnce is what one request asks for one by one, and for how long the turn is held.
const askedAtOnce = 50

// ask asks one by one for rows that the list did not show. Nothing is deleted on a
// guess: a list leaves out what we may not read, and what moved while it was read.
func (p *Pass) ask(ctx context.Context, ids []int64) (found []leads.Finding, err error) {
	for chunk := range slices.Chunk(ids, askedAtOnce) {
		more, err := p.askChunk(ctx, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (p *Pass) askChunk(ctx context.Context, ids []int64) ([]leads.Finding, error) {
	if p.run.Phantom > p.limit || p.run.Unreadable > p.limit {
		return p.unasked(ids), nil
	}
	snaps, err := p.askInTurn(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("ask for %d leads that the list did not show: %w", len(ids), err)
	}
	defer p.Turn.Unlock()
	var repairs []repair
	for _, s := range snaps {
		r := repair{snap: s, finding: leads.Finding{RunID: p.run.ID, Ref: p.ref(s.LeadID), FoundAt: p.Now()}}
		switch {
		case s.Err != nil:
			continue
		case s.Sight == leads.Absent:
			r.finding.Kind = leads.FindingPhantom
		case s.Sight == leads.Denied:
			r.finding.Kind, r.finding.Cause = leads.FindingUnreadable, causeDenied
		default: // it is there: the list had passed it by
			if err := p.passedBy(ctx, s); err != nil {
				return nil, err
			}
			continue
		}
		repairs = append(repairs, r)
	}
	if err := p.lateness(ctx, repairs); err != nil {
		return nil, err
	}
	found, err := p.repair(ctx, repairs)
	return slices.DeleteFunc(found, p.overtaken), err
}

// restLimit is how often in a row the portal may want to be left alone before that is an
// error, as the client counts it for lists.
const restLimit = 15

// askInTurn asks within a turn, which it leaves held where it returns no error. While the
// portal wants to be left alone, which may take minutes, the turn is free for live reads.
func (p *Pass) askInTurn(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	for rests := 0; ; rests++ {
		p.Turn.Lock()
		snaps, err := p.Portal.Leads(ctx, ids)
		if err == nil {
			return snaps, nil
		}
		p.Turn.Unlock()
		var e interface{ RetryAfter() time.Duration }
		if !errors.As(err, &e) || e.RetryAfter() <= 0 || rests == restLimit {
			return nil, err
		}
		if err := p.Wait(ctx, e.RetryAfter()); err != nil {
			return nil, err
		}
	}
}

// overtaken takes back what was counted of a row that had become a tombstone since it
// was compared: its delete callback came.
func (p *Pass) overtaken(f leads.Finding) bool {
	_, was := p.noted[f.Ref.LeadID]
	if f.Kind != leads.FindingPhantom || f.Repaired != leads.Unchanged || p.run.DryRun || was {
		return false
	}
	p.run.Phantom--
	return true
}

// passedBy writes a lead that came back, or was being changed while the list was read.
func (p *Pass) passedBy(ctx context.Context, snap leads.Snapshot) error {
	outcomes, err := p.apply(ctx, []leads.Snapshot{snap})
	if err == nil {
		p.written(outcomes[0].Verdict)
	}
	return err
}

// unasked are candidates beyond what the breaker lets pass. Asking on would cost the
// portal requests and change nothing: a person has to look first.
func (p *Pass) unasked(ids []int64) []leads.Finding {
	kind, cause := leads.FindingPhantom, causeUnaskedPhantom
	if p.run.Unreadable > p.limit {
		kind, cause = leads.FindingUnreadable, causeUnaskedDenied
	}
	found := make([]leads.Finding, len(ids))
	for i, id := range ids {
		found[i] = leads.Finding{
			RunID: p.run.ID, Ref: p.ref(id), Kind: kind, FoundAt: p.Now(), Cause: cause, Repaired: leads.Unchanged,
		}
		p.count(found[i])
	}
	return found
}

// confirm asks a second time, after the grace period, for what was absent.
func (p *Pass) confirm(ctx context.Context) error {
	if p.run.DryRun {
		return nil
	}
	waited := false
	for after := int64(0); ; {
		ids, err := p.Ledger.Unconfirmed(ctx, p.run.ID, after, askedAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		breaker, err := p.Mirror.Breaker(ctx, p.run.MemberID)
		if err != nil || breaker.Open() {
			return err // nothing would be deleted
		}
		if !waited {
			waited = true
			p.Log.InfoContext(ctx, "waiting before asking again for absent leads",
				"member_id", p.run.MemberID, "leads", p.run.Phantom, "grace", p.Grace)
			if err := p.Wait(ctx, p.Grace); err != nil {
				return err
			}
		}
		if err := p.patiently(ctx, "confirm", func(ctx context.Context) error { return p.confirmChunk(ctx, ids) }); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

func (p *Pass) confirmChunk(ctx context.Context, ids []int64) error {
	p.run = p.saved
	snaps, err := p.askInTurn(ctx, ids)
	if err != nil {
		return fmt.Errorf("ask again for %d leads: %w", len(ids), err)
	}
	defer p.Turn.Unlock()
	outcomes, err := p.apply(ctx, snaps)
	if err != nil {
		return err
	}
	for i := range outcomes {
		if outcomes[i].Ref = p.ref(snaps[i].LeadID); snaps[i].Sight == leads.Absent && outcomes[i].Verdict == leads.Unchanged {
			outcomes[i].Verdict = leads.Deleted // the owner, who looks again too, was faster
		}
		p.written(outcomes[i].Verdict)
	}
	p.account()
	return p.kept(p.Ledger.Confirm(ctx, p.run, outcomes))
}

// shrinkFloor is how many unreadable leads are no alarm, however few leads there are; of
// more leads it is 2 %.
const shrinkFloor = 10

// alarm says what a person has to look at, in words; "" is nothing.
func (p *Pass) alarm(ctx context.Context) (string, error) {
	breaker, err := p.Mirror.Breaker(ctx, p.run.MemberID)
	if err != nil {
		return "", fmt.Errorf("look whether deletions are stopped: %w", err)
	}
	limit := max(breaker.Limit, p.run.MaxDeletes)
	var words string
	if p.run.Phantom > limit || breaker.Open() && p.run.Phantom > 0 {
		words = fmt.Sprintf("deletions are stopped: %d leads are gone from the portal's list, more than %d at once; "+
			"look at `leadsync reconcile findings %s`, and if they were deleted there, allow it by `leadsync reconcile --max-deletes %d`",
			p.run.Phantom, limit, p.run.ID, max(p.run.Phantom, breaker.Candidates))
	}
	if p.run.Unreadable > max(shrinkFloor, (p.run.Scanned+p.run.Unreadable)/50) {
		if words != "" {
			words += "; "
		}
		words += fmt.Sprintf("the portal denies access to %d leads that it used to show: their rows are kept as they are; "+
			"give the user who authorized leadsync the right to read all leads", p.run.Unreadable)
	}
	if words != "" {
		p.Log.ErrorContext(ctx, "pass needs a person", "member_id", p.run.MemberID, "run", p.run.ID, "what", words,
			"phantom", p.run.Phantom, "unreadable", p.run.Unreadable, "limit", limit)
	}
	return words, nil
}
