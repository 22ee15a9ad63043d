package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Limits of the way in. Source: promise P1.
const (
	publishLimit = time.Second     // how long a stream may take to acknowledge
	directFor    = 5 * time.Second // after one that took longer, the spool is used directly
	losingFor    = time.Minute     // how long it is told that a callback was lost, where none comes that is not
)

// Intake is the way in of callbacks: onto their stream, or where that fails or takes too
// long, into a spool.
type Intake struct {
	// Publish returns when the stream has the entry on disk.
	Publish func(context.Context, Entry) error
	// Verified keeps entries until their stream is back; Unverified those that must be
	// verified first. They are apart so that forgeries, which anybody can send while the
	// database is down, can only fill a spool of their own.
	Verified   *Spool
	Unverified *Spool
	Now        func() time.Time
	Log        *slog.Logger

	// What this process has taken since it started.
	Published, Spooled, Lost atomic.Int64

	direct  atomic.Pointer[time.Time] // until when the spool is used directly; nil where NATS is well
	probing atomic.Bool               // somebody tries whether it is well again
	full    atomic.Bool               // the alarm was raised
	losing  atomic.Pointer[time.Time] // when the last entry could be kept nowhere; nil where it could
}

// Take returns when the entry is on disk, on its stream or in a spool. An error means
// that it is neither: the callback must not be answered 200.
func (i *Intake) Take(ctx context.Context, e Entry) error {
	if e.TokenHash != "" {
		return i.spool(ctx, i.Unverified, e, nil)
	}
	if !i.promising() {
		return i.spool(ctx, i.Verified, e, nil)
	}
	refused := i.publish(ctx, e)
	i.probing.Store(false)
	if refused == nil {
		return nil
	}
	return i.spool(ctx, i.Verified, e, refused)
}

// promising tells whether the stream is worth trying. After a time-out one callback at a
// time tries, when its moment has come; the others do not wait for it.
func (i *Intake) promising() bool {
	until := i.direct.Load()
	return until == nil || !i.Now().Before(*until) && i.probing.CompareAndSwap(false, true)
}

func (i *Intake) publish(ctx context.Context, e Entry) error {
	// A client that hangs up does not undo what it was about to be told.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	err := i.Publish(ctx, e)
	switch {
	case err == nil:
		i.Published.Add(1)
		i.direct.Store(nil)
		i.losing.Store(nil)
	case ctx.Err() != nil:
		now := i.Now()
		until := now.Add(directFor)
		if before := i.direct.Swap(&until); before != nil && before.After(now) {
			break // another callback has said so
		}
		i.Log.WarnContext(ctx, "NATS does not answer, callbacks go into the spool", "error", err, "for", directFor)
	}
	return err
}

// spool keeps the entry; refused is why its stream did not, nil where it was not tried.
func (i *Intake) spool(ctx context.Context, to *Spool, e Entry, refused error) error {
	err := to.Append(context.WithoutCancel(ctx), e)
	if err == nil {
		i.Spooled.Add(1)
		i.full.Store(false)
		i.losing.Store(nil)
		return nil
	}
	if errors.Is(err, ErrSpoolFull) && !i.full.Swap(true) {
		i.Log.ErrorContext(ctx, "the spool is full: callbacks are lost until NATS and the database are back", "limit_bytes", to.cfg.Limit)
	}
	if refused == nil && e.TokenHash == "" {
		if refused = i.publish(ctx, e); refused == nil {
			return nil
		}
	}
	i.Lost.Add(1)
	now := i.Now()
	i.losing.Store(&now)
	return fmt.Errorf("%w; %w", errors.Join(refused), err)
}

// Waiting is what both spools hold.
func (i *Intake) Waiting() SpoolStats {
	sum := i.Verified.Stats()
	other := i.Unverified.Stats()
	sum.Entries += other.Entries
	sum.Bytes += other.Bytes
	sum.Limit += other.Limit
	if sum.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(sum.Oldest) {
		sum.Oldest = other.Oldest
	}
	return sum
}

// Full tells whether callbacks are being lost because a spool has no room.
func (i *Intake) Full() bool { return i.full.Load() }

// Losing tells whether the last callback could be kept nowhere, and that is not long ago.
func (i *Intake) Losing() bool {
	at := i.losing.Load()
	return at != nil && i.Now().Sub(*at) < losingFor
}

// Avoiding tells whether the stream did not answer when it was last tried, so that the
// spool is used.
func (i *Intake) Avoiding() bool { return i.direct.Load() != nil }

// Run drains the spools until the context ends. verify says whether an entry that could
// not be verified when it came is genuine; its error means not yet.
func (i *Intake) Run(ctx context.Context, verify func(context.Context, Entry) (bool, error)) error {
	done := make(chan error, 1)
	go func() { done <- i.Verified.Run(ctx, i.deliver) }()
	err := i.Unverified.Run(ctx, func(ctx context.Context, e Entry) error {
		genuine, err := verify(ctx, e)
		if err != nil || !genuine {
			return err
		}
		return i.deliver(ctx, e)
	})
	return errors.Join(err, <-done)
}

func (i *Intake) deliver(ctx context.Context, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, 5*publishLimit)
	defer cancel()
	if err := i.Publish(ctx, e); err != nil {
		return err
	}
	i.Published.Add(1)
	i.direct.Store(nil) // it is well again, also where no callback comes to try it
	return nil
}
