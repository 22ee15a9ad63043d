package owner

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
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
	beatAt   map[string]time.Time // when it was noted last that a portal is served
}

func newAgenda(cfg *Config, open *sessions) *agenda {
	return &agenda{cfg: cfg, sessions: open, absentAt: map[string]time.Time{}, beatAt: map[string]time.Time{}}
}

func (a *agenda) run(ctx context.Context) error {
	loop := retry.Loop{
		Policy: retry.Policy{First: passEvery, Max: 2 * passEvery}, Interval: passEvery,
		Failed: func(err error, failures int, _ time.Duration) {
			if failures%60 == 1 { // owners report what fails, too
				a.cfg.Log.WarnContext(ctx, "cannot look what there is to do for portals, their owners look for themselves", "error", err)
			}
		},
	}
	return loop.Run(ctx, a.look)
}

// look wakes the owners that have something to do. Where the database does not answer it wakes
// them all: each notices the failure, and later its end.
func (a *agenda) look(ctx context.Context) error {
	open := a.sessions.list()
	if len(open) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, agendaLimit)
	defer cancel()
	due, err := a.cfg.Mirror.Agenda.Agenda(limited)
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
	return errors.Join(err, a.beat(ctx, open, now))
}

// beat notes that portals are served whose owners have done so once. A portal whose row was
// locked is tried again with the next look.
func (a *agenda) beat(ctx context.Context, open []*Session, now time.Time) error {
	served := map[string]*Session{}
	for _, s := range open {
		if id := s.memberID(); s.beaten.Load() && now.Sub(a.beatAt[id]) >= beatEvery {
			served[id] = s
		}
	}
	if len(served) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, agendaLimit)
	defer cancel()
	noted, err := a.cfg.Mirror.Agenda.BeatAll(ctx, slices.Collect(maps.Keys(served)))
	for _, id := range noted {
		a.beatAt[id] = now
	}
	for id, s := range served {
		switch late := now.Sub(a.beatAt[id]); {
		case late < beatEvery:
			s.health.report(PartBeat, nil)
		case late >= downAfter && !a.beatAt[id].IsZero():
			s.health.report(PartBeat, cmp.Or(err, errLocked))
		}
	}
	return err
}

// errLocked says that a portal's row could not be written for longer than a beat may be late.
var errLocked = errors.New("another transaction holds the portal's row in leadsync_owners")

// agendaLimit is how long a look or a beat may take.
const agendaLimit = 10 * time.Second

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
	// BeatAll notes that portals are served, as Standing.Beat does, but for those whose rows are locked.
	BeatAll(ctx context.Context, memberIDs []string) (noted []string, err error)
}
