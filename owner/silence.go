package owner

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"leadsync/leads"
	"leadsync/reconcile"
)

// silentChanges is how many changes without a callback are no longer a coincidence.
const silentChanges = 3

// silence reports that changes arrive without callbacks, so Bitrix24 may not reach us. If
// nobody changes a lead, no callbacks are expected, and that is not a fault.
type silence struct {
	session *Session

	changes atomic.Int64 // that the last changed pass found, or the queue since
}

// problem says why Bitrix24 may not reach us; "" if there is no sign of that.
func (s *silence) problem() string {
	if n := s.changes.Load(); n > 0 {
		return fmt.Sprintf("%d leads were changed lately and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL", n)
	}
	return ""
}

// judge raises the alarm if a changed pass found changes without a callback, and ends it if
// there were none.
func (s *silence) judge(ctx context.Context, run leads.Run) error {
	if run.Mode != leads.RunChanged || run.DryRun || run.State != leads.RunCompleted {
		return nil
	}
	s.changes.Store(0)
	if run.Missed+run.Stale < silentChanges {
		return nil
	}
	found, err := s.session.cfg.Mirror.Runs.Findings(ctx, run.ID)
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
	return s.raise(ctx, silent, run.Since)
}

func (s *silence) raise(ctx context.Context, changes int64, since time.Time) error {
	s.changes.Store(changes)
	s.session.cfg.Log.ErrorContext(ctx, "leads were changed and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", s.session.memberID(), "changes", changes, "since", since)
	return s.session.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{
		MemberID: s.session.memberID(), Kind: leads.IncidentSilence, From: since, To: s.session.cfg.now(),
	})
}
