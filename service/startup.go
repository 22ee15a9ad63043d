package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

const (
	// firstTry is how long a start waits for database and NATS before it goes on without.
	firstTry = 3 * time.Second
	// stepLimit is how long one try of a step may take after that.
	stepLimit = time.Minute
	// tryAgain is how often the start looks for what is down, and fixedEvery how often it
	// looks whether somebody has fixed what does not pass by itself.
	tryAgain   = 2 * time.Second
	fixedEvery = 30 * time.Second
)

// step is a part of the start that needs database or NATS.
type step struct {
	name string
	do   func(context.Context) error
}

// startup does the steps of a start, later where something they need is down: meanwhile
// the service takes callbacks, which Bitrix24 sends only once.
type startup struct {
	log       *slog.Logger
	tolerant  bool
	timeScale int64
	pending   []step
}

func newStartup(cfg Config, log *slog.Logger) startup {
	return startup{log: log, tolerant: cfg.TolerateOutages, timeScale: max(1, cfg.Tuning.TimeScale)}
}

// attempt does a step. Where outages are tolerated and the step fails because something is
// down, finish does it later.
func (s *startup) attempt(ctx context.Context, st step) error {
	if !s.tolerant {
		return st.do(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	err := st.do(limited)
	if err == nil || ctx.Err() != nil || !passes(err) {
		return err
	}
	s.log.ErrorContext(ctx, "dependency unavailable at startup, accepting callbacks and retrying", "dependency", st.name, "error", err)
	s.pending = append(s.pending, st)
	return nil
}

// finish returns when all steps are done. What a person has to fix does not end it:
// callbacks are being taken, and would be lost meanwhile.
func (s *startup) finish(ctx context.Context) error {
	for _, st := range s.pending {
		loop := retry.Loop{
			Policy: retry.Policy{First: fixedEvery / time.Duration(s.timeScale), Max: fixedEvery / time.Duration(s.timeScale)},
			Failed: func(err error, _ int, pause time.Duration) {
				s.log.ErrorContext(ctx, "dependency needs a person, accepting callbacks and retrying", "dependency", st.name, "error", err, "pause", pause)
			},
		}
		if err := loop.Until(ctx, func(ctx context.Context) error { return s.insist(ctx, st.do) }); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
		s.log.InfoContext(ctx, "dependency that was unavailable at startup is available", "dependency", st.name)
	}
	return nil
}

// insist repeats a step while something it needs is down.
func (s *startup) insist(ctx context.Context, do func(context.Context) error) error {
	loop := retry.Loop{
		Policy: retry.Policy{First: tryAgain, Max: tryAgain}, Final: func(err error) bool { return !passes(err) },
		Failed: func(err error, _ int, _ time.Duration) {
			s.log.DebugContext(ctx, "a step of the start failed, trying again", "error", err)
		},
	}
	return loop.Until(ctx, func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		defer cancel()
		return do(limited)
	})
}

// unlessStopped is the error of a step, except where the service is being stopped.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// passes tells errors that pass when something comes up from those that a person has to
// fix.
func passes(err error) bool {
	return errors.Is(err, leads.ErrUnavailable) || events.Unavailable(err)
}
