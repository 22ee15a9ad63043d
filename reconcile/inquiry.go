package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// askedAtOnce is how many leads one request asks for one by one, while ReadOrder is held.
const askedAtOnce = 50

// inquiry asks the portal, lead by lead, for leads whose rows its list did not show, and for
// those that a list of ids showed and the mirror lacks.
// Nothing is deleted on a guess: a list leaves out what the user may not read, and what
// moved while it was read.
type inquiry struct {
	cfg       *Config
	run       *leads.Run // the copy that the step works on
	repairer  *repairer
	explainer *explainer
	limit     int64 // of deletions, as the breaker sets it
}

// ask asks for leads and returns the findings.
func (q *inquiry) ask(ctx context.Context, ids []int64) (found []leads.Finding, err error) {
	for chunk := range slices.Chunk(ids, askedAtOnce) {
		var more []leads.Finding
		if q.run.Phantom > q.limit || q.run.Unreadable > q.limit {
			more = q.findUnasked(chunk)
		} else if more, err = q.askChunk(ctx, chunk); err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (q *inquiry) askChunk(ctx context.Context, ids []int64) ([]leads.Finding, error) {
	snaps, err := q.readInOrder(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("ask for %d leads that the list did not show: %w", len(ids), err)
	}
	defer q.cfg.ReadOrder.Unlock()
	var repairs []Repair
	for _, s := range snaps {
		f := q.finding(s.LeadID)
		switch {
		case s.Err != nil:
			f = unprocessable(f, s.Err)
		case s.Sight == leads.Absent:
			f.Kind = leads.FindingPhantom
		case s.Sight == leads.Denied:
			f.Kind, f.Cause = leads.FindingUnreadable, causeDenied
		default:
			if err := q.writePresent(ctx, s); err != nil {
				return nil, err
			}
			continue
		}
		repairs = append(repairs, Repair{Snapshot: s, Finding: f})
	}
	if err := q.explainer.explain(ctx, repairs); err != nil {
		return nil, err
	}
	found, err := q.repairer.repair(ctx, repairs)
	return slices.DeleteFunc(found, q.dropDeleted), err
}

func (q *inquiry) finding(id int64) leads.Finding {
	return leads.Finding{RunID: q.run.ID, Ref: leads.Ref{MemberID: q.run.MemberID, LeadID: id}, FoundAt: q.cfg.Now()}
}

// pauseLimit is how many times in a row the portal may ask for a pause before that is an
// error; the client counts lists in the same way.
const pauseLimit = 15

// readInOrder reads leads one by one under ReadOrder, and keeps holding it unless it
// returns an error. While the portal wants a pause, which may take minutes, ReadOrder is
// free for live reads.
func (q *inquiry) readInOrder(ctx context.Context, ids []int64) (snaps []leads.Snapshot, err error) {
	pauses := 0
	loop := retry.Loop{
		Final: func(err error) bool {
			return retry.After(err) <= 0 || pauses == pauseLimit || errors.Is(err, leads.ErrPortalRefuses)
		},
		Failed: func(error, int, time.Duration) { pauses++ },
		Wait:   q.cfg.Wait,
	}
	err = loop.Until(ctx, func(ctx context.Context) (err error) {
		q.cfg.ReadOrder.Lock()
		if snaps, err = q.cfg.Portal.Leads(ctx, ids); err != nil {
			q.cfg.ReadOrder.Unlock()
		}
		return err
	})
	return snaps, err
}

// writePresent writes a lead that exists after all: it came back, or it was being changed
// while the list was read.
func (q *inquiry) writePresent(ctx context.Context, snap leads.Snapshot) error {
	outcomes, err := q.repairer.apply(ctx, []leads.Snapshot{snap})
	if err == nil {
		q.repairer.countWrite(outcomes[0].Verdict)
	}
	return err
}

// dropDeleted tells findings that are none, and takes them out of the sums: the row became
// a tombstone after it was compared, because the lead's delete callback came.
func (q *inquiry) dropDeleted(f leads.Finding) bool {
	if f.Kind != leads.FindingPhantom || f.Repaired != leads.Unchanged || q.run.DryRun || q.repairer.wasNoted(f) {
		return false
	}
	q.run.Phantom--
	return true
}

// findUnasked returns findings of leads beyond what the breaker lets pass. Asking for them
// would cost the portal requests and change nothing: an operator has to look first.
func (q *inquiry) findUnasked(ids []int64) []leads.Finding {
	kind, cause := leads.FindingPhantom, causeUnaskedPhantom
	if q.run.Unreadable > q.limit {
		kind, cause = leads.FindingUnreadable, causeUnaskedDenied
	}
	found := make([]leads.Finding, len(ids))
	for i, id := range ids {
		f := q.finding(id)
		f.Kind, f.Cause, f.Repaired = kind, cause, leads.Unchanged
		q.repairer.count(f)
		found[i] = f
	}
	return found
}

// confirm asks a second time for leads that were absent, and hands the outcomes to save
// before it lets go of ReadOrder.
func (q *inquiry) confirm(ctx context.Context, ids []int64, save func([]leads.Outcome) error) error {
	snaps, err := q.readInOrder(ctx, ids)
	if err != nil {
		return fmt.Errorf("ask again for %d leads: %w", len(ids), err)
	}
	defer q.cfg.ReadOrder.Unlock()
	outcomes, err := q.repairer.apply(ctx, snaps)
	if err != nil {
		return err
	}
	for i := range outcomes {
		o := &outcomes[i]
		o.Ref = leads.Ref{MemberID: q.run.MemberID, LeadID: snaps[i].LeadID}
		if snaps[i].Sight == leads.Absent && o.Verdict == leads.Unchanged {
			o.Verdict = leads.Deleted // the owner, which asks again too, was faster
		}
		q.repairer.countWrite(o.Verdict)
	}
	return save(outcomes)
}
