package owner

import (
	"context"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// agenda looks, for all portals of this process at once, what there is to do for them, and wakes
// their owners. So an idle portal costs the database nothing of its own. Owners also look for
// themselves, but seldom.
type agenda struct {
	cfg      *Config
	sessions *sessions
	absentAt map[string]time.Time // when owners were last woken to look at absent leads
	beatAt   time.Time            // when the next beat is due
}

func newAgenda(cfg *Config, open *sessions) *agenda {
	return &agenda{cfg: cfg, sessions: open, absentAt: map[string]time.Time{}}
}

func (a *agenda) run(ctx context.Context) error {
	loop := retry.Loop{Policy: retry.Policy{First: passEvery, Max: 2 * passEvery}, Interval: passEvery} // owners report what fails
	return loop.Run(ctx, a.look)
}

// look wakes the owners that have something to do. Where the database does not answer it wakes
// them all: each notices the failure, and later its end.
func (a *agenda) look(ctx context.Context) error {
	open := a.sessions.list()
	if len(open) == 0 {
		return nil
	}
	due, err := a.cfg.Mirror.Agenda.Agenda(ctx)
	now := time.Now()
	for _, s := range open {
		is, known := due[s.memberID()]
		if err != nil || !known {
			s.due.Store(nil)
			wake(s.passes.requested)
			continue
		}
		s.due.Store(&is)
		if is.Pass {
			wake(s.passes.requested)
		}
		if is.Absent && now.Sub(a.absentAt[s.memberID()]) >= a.cfg.Grace/4 {
			a.absentAt[s.memberID()] = now
			wake(s.absent)
		}
	}
	if err != nil {
		return err
	}
	return a.beat(ctx, open, now)
}

// beat notes that portals are served whose owners have done so once.
func (a *agenda) beat(ctx context.Context, open []*Session, now time.Time) error {
	if now.Before(a.beatAt) {
		return nil
	}
	var served []*Session
	var ids []string
	for _, s := range open {
		if s.beaten.Load() {
			served, ids = append(served, s), append(ids, s.memberID())
		}
	}
	if len(served) == 0 {
		return nil
	}
	err := a.cfg.Mirror.Agenda.BeatAll(ctx, ids)
	if err == nil {
		a.beatAt = now.Add(beatEvery)
	}
	for _, s := range served {
		if ctx.Err() == nil {
			s.health.report(PartBeat, err)
		}
	}
	return err
}

// wake is for a channel that holds one signal: more of them are one.
func wake(signal chan<- struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// Agenda is what there is to do for portals.
type Agenda interface {
	// Agenda returns it for each active portal, by member_id.
	Agenda(ctx context.Context) (map[string]leads.Due, error)
	// BeatAll notes that portals are served, as Standing.Beat does.
	BeatAll(ctx context.Context, memberIDs []string) error
}
