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
	// stepLimit is how long one try of a step of the start may take.
	stepLimit = time.Minute
	// tryAgain is how often the start looks for what is down, and fixedEvery how often it
	// looks whether somebody has fixed what does not pass by itself.
	tryAgain   = 2 * time.Second
	fixedEvery = 30 * time.Second
	// sayAgain is how often the log repeats what is still down.
	sayAgain = 5 * time.Minute
)

// database is the name of the steps that need the database.
const database = "database"

// step is a part of the start that needs database or NATS.
type step struct {
	name      string // what it needs
	unlimited bool   // it may take longer than stepLimit
	do        func(context.Context) error
}

// startup does the steps of a start of a service that takes callbacks already, which
// Bitrix24 sends only once: no error of database or NATS ends it.
type startup struct {
	log       *slog.Logger
	timeScale int64
	failed    func(st step, err error) // is told each failure
}

func newStartup(cfg Config, log *slog.Logger, failed func(step, error)) startup {
	return startup{log: log, timeScale: max(1, cfg.Tuning.TimeScale), failed: failed}
}

// finish returns when the steps are done, one after the other, or the context has ended.
func (s *startup) finish(ctx context.Context, steps ...step) error {
	for _, st := range steps {
		loop := retry.Loop{
			Policy: retry.Policy{First: fixedEvery / time.Duration(s.timeScale), Max: fixedEvery / time.Duration(s.timeScale)},
			Failed: func(err error, _ int, pause time.Duration) {
				s.failed(st, err)
				s.log.ErrorContext(ctx, "dependency needs a person, accepting callbacks and retrying", "dependency", st.name, "error", err, "pause", pause)
			},
		}
		if err := loop.Until(ctx, func(ctx context.Context) error { return s.insist(ctx, st) }); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return nil
}

// insist repeats a step while something it needs is down.
func (s *startup) insist(ctx context.Context, st step) error {
	var said time.Time // zero until something was down
	loop := retry.Loop{
		Policy: retry.Policy{First: tryAgain, Max: tryAgain}, Final: func(err error) bool { return !passes(err) },
		Failed: func(err error, _ int, _ time.Duration) {
			s.failed(st, err)
			if said.IsZero() || time.Since(said) > sayAgain {
				said = time.Now()
				s.log.ErrorContext(ctx, "dependency unavailable at startup, accepting callbacks and retrying", "dependency", st.name, "error", err)
			}
		},
	}
	err := loop.Until(ctx, func(ctx context.Context) error {
		if st.unlimited {
			return st.do(ctx)
		}
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		defer cancel()
		return st.do(limited)
	})
	if err == nil && !said.IsZero() {
		s.log.InfoContext(ctx, "dependency that was unavailable at startup is available", "dependency", st.name)
	}
	return err
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
