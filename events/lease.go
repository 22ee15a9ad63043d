package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/retry"
)

const leaseBucket = "LEADSYNC_LEASES"

// LeaseLife is how long the lease of a process that died lasts until another process can
// take it. The holder renews it after a third of that time.
const LeaseLife = 5 * time.Second

// ErrLeaseHeld says that another process holds the lease.
var ErrLeaseHeld = errors.New("lease is held by another process")

// Lease is the right to do what only one process may do: own a portal, relay the outbox.
// It is kept in a bucket whose entries expire, and is a hint only: the epoch that its
// holder raises in SQL protects the data.
type Lease struct {
	kv       jetstream.KeyValue
	key      string
	holder   string
	revision uint64
	// asked is when the server was asked for the lease that we have: it lasts from then on
	// at least LeaseLife, however late the answer came.
	asked time.Time
}

// TakeLease takes a lease, or returns ErrLeaseHeld if another process renews it. holder
// names this process.
func TakeLease(ctx context.Context, bus *Bus, key, holder string) (*Lease, error) {
	if err := bus.ours(); err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	kv, err := soon(ctx, func(ctx context.Context) (jetstream.KeyValue, error) {
		return bus.js.KeyValue(ctx, bus.Name(leaseBucket))
	})
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, bus.named(err))
	}
	l := &Lease{kv: kv, key: key, holder: holder}
	if err = l.create(ctx); errors.Is(err, ErrLeaseHeld) {
		err = l.takeOver(ctx)
	}
	if errors.Is(err, ErrLeaseHeld) {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, bus.named(err))
	}
	return l, nil
}

// takeOver watches a lease by this process's own clock, and takes it when nobody has
// renewed it for longer than LeaseLife. Usually the server has dropped it by then; but if
// the server's clock was set back by an hour, it keeps it for an hour.
func (l *Lease) takeOver(ctx context.Context) error {
	var first uint64
	var seen time.Time
	for {
		entry, err := soon(ctx, func(ctx context.Context) (jetstream.KeyValueEntry, error) { return l.kv.Get(ctx, l.key) })
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return l.create(ctx)
		case err != nil:
			return err
		case first == 0:
			first, seen = entry.Revision(), time.Now() // after the answer, which may have been slow
		case entry.Revision() != first:
			return ErrLeaseHeld
		case time.Since(seen) > LeaseLife+LeaseLife/3:
			return l.update(ctx, first)
		}
		if err := retry.Wait(ctx, LeaseLife/10); err != nil {
			return err
		}
	}
}

// create takes a lease that nobody has.
func (l *Lease) create(ctx context.Context) error {
	return l.put(ctx, func(ctx context.Context) (uint64, error) { return l.kv.Create(ctx, l.key, []byte(l.holder)) })
}

// update takes or renews a lease whose entry has that revision.
func (l *Lease) update(ctx context.Context, revision uint64) error {
	return l.put(ctx, func(ctx context.Context) (uint64, error) {
		return l.kv.Update(ctx, l.key, []byte(l.holder), revision)
	})
}

// put returns ErrLeaseHeld if another process was faster.
func (l *Lease) put(ctx context.Context, write func(context.Context) (uint64, error)) error {
	asked := time.Now()
	revision, err := soon(ctx, write)
	if errors.Is(err, jetstream.ErrKeyExists) || wrongLastSequence(err) {
		return ErrLeaseHeld
	}
	if err == nil {
		l.revision, l.asked = revision, asked
	}
	return err
}

// mine is how long the lease is certainly ours, with room for others' measure of time.
func (l *Lease) mine() time.Duration { return time.Until(l.asked.Add(LeaseLife * 2 / 3)) }

// Hold runs work, renews the lease meanwhile, and releases it afterwards. If the lease is
// lost, the context of work ends before another process can take the lease. Hold returns
// when work has returned. A lease that may have expired already is not held.
func (l *Lease) Hold(ctx context.Context, work func(context.Context) error) error {
	if l.mine() <= 0 {
		l.release(context.WithoutCancel(ctx))
		return fmt.Errorf("hold %s, which was given too late: %w", l.key, ErrLeaseHeld)
	}
	held, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		lost(l.renew(held))
	}()
	err := work(held)
	lost(nil)
	<-renewed
	l.release(context.WithoutCancel(ctx))
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(held), ErrLeaseHeld) {
		return context.Cause(held)
	}
	return err
}

// renewAgain is how long after a failed renewal the next is tried, while the lease is ours: a
// connection comes back within that time.
const renewAgain = 200 * time.Millisecond

// renew renews the lease until the context ends or the lease is lost.
func (l *Lease) renew(ctx context.Context) error {
	for pause := l.mine() - LeaseLife/3; retry.Wait(ctx, pause) == nil; {
		limited, cancel := context.WithTimeout(ctx, l.mine())
		err := l.update(limited, l.revision)
		cancel()
		switch {
		case err == nil:
			pause = l.mine() - LeaseLife/3
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the work is over
		case errors.Is(err, ErrLeaseHeld) || l.mine() <= renewAgain:
			return fmt.Errorf("renew %s: %w: %w", l.key, ErrLeaseHeld, err)
		default:
			pause = renewAgain
		}
	}
	return nil
}

func (l *Lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// If this fails, the lease expires by itself.
	_ = l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision))
}
