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
}

// TakeLease takes a lease, or returns ErrLeaseHeld if another process renews it. holder
// names this process.
func TakeLease(ctx context.Context, bus *Bus, key, holder string) (*Lease, error) {
	if err := bus.ours(); err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	kv, err := bus.js.KeyValue(ctx, bus.Name(leaseBucket))
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	revision, err := kv.Create(ctx, key, []byte(holder))
	if errors.Is(err, jetstream.ErrKeyExists) {
		revision, err = takeOver(ctx, kv, key, holder)
	}
	if errors.Is(err, ErrLeaseHeld) {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	return &Lease{kv: kv, key: key, holder: holder, revision: revision}, nil
}

// takeOver watches a lease by this process's own clock, and takes it when nobody has
// renewed it for longer than LeaseLife. Usually the server has dropped it by then; but if
// the server's clock was set back by an hour, it keeps it for an hour.
func takeOver(ctx context.Context, kv jetstream.KeyValue, key, holder string) (uint64, error) {
	var first jetstream.KeyValueEntry
	for begun := time.Now(); ; {
		entry, err := kv.Get(ctx, key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return created(kv.Create(ctx, key, []byte(holder)))
		case err != nil:
			return 0, err
		case first == nil:
			first = entry
		case entry.Revision() != first.Revision():
			return 0, ErrLeaseHeld
		case time.Since(begun) > LeaseLife+LeaseLife/3:
			return created(kv.Update(ctx, key, []byte(holder), first.Revision()))
		}
		if err := retry.Wait(ctx, LeaseLife/10); err != nil {
			return 0, err
		}
	}
}

// created returns ErrLeaseHeld if another process was faster.
func created(revision uint64, err error) (uint64, error) {
	if errors.Is(err, jetstream.ErrKeyExists) || wrongLastSequence(err) {
		return 0, ErrLeaseHeld
	}
	return revision, err
}

// Hold runs work, renews the lease meanwhile, and releases it afterwards. If the lease is
// lost, the context of work ends before another process can take the lease. Hold returns
// when work has returned.
func (l *Lease) Hold(ctx context.Context, work func(context.Context) error) error {
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

// renew renews the lease until the context ends or the lease is lost.
func (l *Lease) renew(ctx context.Context) error {
	for retry.Wait(ctx, LeaseLife/3) == nil {
		update, cancel := context.WithTimeout(ctx, LeaseLife/3)
		revision, err := l.kv.Update(update, l.key, []byte(l.holder), l.revision)
		cancel()
		switch {
		case err == nil:
			l.revision = revision
		case ctx.Err() == nil:
			return fmt.Errorf("renew %s: %w: %w", l.key, ErrLeaseHeld, err)
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
