package owner

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"leadsync/leads"
	"leadsync/reconcile"
)

// silentChanges is how many changes without a callback are no accident any more.
const silentChanges = 3

// silence is what changes without callbacks say of the way from the portal to us. On a
// portal where nobody changes anything, no callbacks come either, and that is no fault.
type silence struct {
	s *Session

	changes atomic.Int64 // that the last changed pass found, or the queue since
}

// problem says why Bitrix24 may not reach us; "" where nothing speaks for that.
func (q *silence) problem() string {
	if n := q.changes.Load(); n > 0 {
		return fmt.Sprintf("%d leads were changed lately and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL", n)
	}
	return ""
}

// judge raises the alarm where a changed pass found changes without a callback, and ends it
// where it found none.
func (q *silence) judge(ctx context.Context, run leads.Run) error {
	if run.Mode != leads.RunChanged || run.DryRun || run.State != leads.RunCompleted {
		return nil
	}
	q.changes.Store(0)
	if run.Missed+run.Stale < silentChanges {
		return nil
	}
	found, err := q.s.cfg.Mirror.Runs.Findings(ctx, run.ID)
	if err != nil {
		return err
	}
	var silent int64
	for _, f := range found {
		if f.Cause == reconcile.CauseSilent {
			silent++
		}
	}
	if silent < silentChanges {
		return nil
	}
	return q.raise(ctx, silent, run.Since)
}

func (q *silence) raise(ctx context.Context, changes int64, since time.Time) error {
	q.changes.Store(changes)
	q.s.cfg.Log.ErrorContext(ctx, "leads were changed and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", q.s.memberID(), "changes", changes, "since", since)
	return q.s.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{
		MemberID: q.s.memberID(), Kind: leads.IncidentSilence, From: since, To: q.s.cfg.now(),
	})
}
