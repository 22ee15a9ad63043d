package owner

import (
	"context"
	"fmt"
	"sync"
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

	mu       sync.Mutex
	changes  int64     // that the last changed pass found, or the queue since; 0 is no alarm
	raisedAt time.Time // by our clock
	// endedAt is when the callback came that ended the last alarm: what was changed before
	// it belongs to that silence.
	endedAt time.Time
}

// problem says why Bitrix24 may not reach us; "" if there is no sign of that.
func (s *silence) problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == 0 {
		return ""
	}
	return fmt.Sprintf("%d leads were changed lately and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL", s.changes)
}

// heard ends the alarm, unless the callback came before it.
func (s *silence) heard(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes > 0 && since(at, s.raisedAt, s.session.cfg.now()) {
		s.changes, s.endedAt = 0, at
	}
}

// ended is when the last alarm was ended by a callback; zero where none was.
func (s *silence) ended() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endedAt
}

// since tells whether something happened after a moment, by our clock. A moment that is
// ahead of now was noted before the clock was set back.
func since(at, moment, now time.Time) bool { return !at.Before(moment) || moment.After(now) }

// judge raises the alarm if a changed pass found changes without a callback, and ends it if
// there were none.
func (s *silence) judge(ctx context.Context, run leads.Run) error {
	if run.Mode != leads.RunChanged || run.DryRun || run.State != leads.RunCompleted {
		return nil
	}
	if run.Missed+run.Stale < silentChanges {
		s.end()
		return nil
	}
	found, err := s.session.cfg.Mirror.Runs.Findings(ctx, run.ID)
	if err != nil {
		return err
	}
	var silent int64
	for _, f := range found {
		if f.Cause == reconcile.CauseSilent && since(f.FoundAt.Add(-f.Behind), s.ended(), s.session.cfg.now()) {
			silent++
		}
	}
	if silent < silentChanges {
		s.end()
		return nil
	}
	return s.raise(ctx, silent, run.Since)
}

func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = 0
}

func (s *silence) raise(ctx context.Context, changes int64, from time.Time) error {
	now := s.session.cfg.now()
	s.mu.Lock()
	s.changes, s.raisedAt = changes, now
	s.mu.Unlock()
	s.session.cfg.Log.ErrorContext(ctx, "leads were changed and no callback came: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", s.session.memberID(), "changes", changes, "since", from)
	return s.session.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{
		MemberID: s.session.memberID(), Kind: leads.IncidentSilence, From: from, To: now,
	})
}
