package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/repo"
)

// firstTry is how long a start waits for database and NATS before it goes on without;
// tryAgain is how often it looks for them then, and mended how often it looks whether
// somebody has mended what does not pass by itself.
const (
	firstTry = 3 * time.Second
	tryAgain = 2 * time.Second
	mended   = 30 * time.Second
)

// preparation is a step of the start that has to wait for what is down.
type preparation struct {
	what string
	do   func(context.Context) error
}

// tolerate does a step of the start. Where the configuration is patient and the step
// fails because something is down, it is done later: by prepared.
func (b *base) tolerate(ctx context.Context, what string, do func(context.Context) error) error {
	if !b.cfg.patient {
		return do(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	err := do(limited)
	if err == nil || ctx.Err() != nil || !isDown(err) {
		return err
	}
	b.log.ErrorContext(ctx, "the service starts without it, takes callbacks and tries again", "missing", what, "error", err)
	b.waiting = append(b.waiting, preparation{what, do})
	return nil
}

// unlessStopped is the error of a step, but where the service was told to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// isDown tells errors that pass when something comes up from those that a person has to
// mend.
func isDown(err error) bool {
	return errors.Is(err, repo.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrReconnectBufExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// prepared returns when all that was down at the start is there. What a person has to mend
// does not end it: callbacks are being taken, and would be lost meanwhile.
func (b *base) prepared(ctx context.Context) error {
	for _, p := range b.waiting {
		for {
			err := b.insist(ctx, p.do)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s: %w", p.what, err)
			}
			b.log.ErrorContext(ctx, "the service takes callbacks, and waits until somebody has mended this", "missing", p.what, "error", err)
			_ = pauseFor(ctx, mended/time.Duration(max(1, b.cfg.hurry))) // insist sees that it was cut short
		}
		b.log.InfoContext(ctx, "what was missing at the start is there", "missing", p.what)
	}
	return nil
}

// insist repeats a step while something it needs is down. The end of the context is no
// error: the service stops.
func (b *base) insist(ctx context.Context, do func(context.Context) error) error {
	for {
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		err := do(limited)
		cancel()
		if err == nil || ctx.Err() != nil || !isDown(err) {
			return err
		}
		b.log.DebugContext(ctx, "a step of the start waits", "error", err)
		if err := pauseFor(ctx, tryAgain); err != nil {
			return err
		}
	}
}
