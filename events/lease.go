package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const leaseBucket = "LEADSYNC_LEASES"

// LeaseLife is after how long the lease of a process that died can be taken by another.
// It is renewed at a third of it.
const LeaseLife = 5 * time.Second

// ErrLeaseHeld says that another process holds the lease.
var ErrLeaseHeld = errors.New("lease is held by another process")

// Lease is the right to do what only one process may do: own a portal, relay the
// outbox. It is a hint, kept in a bucket whose entries expire; what it protects is
// guarded by the epoch that its holder raises in SQL.
type Lease struct {
	kv       jetstream.KeyValue
	key      string
	holder   string
	revision uint64
}

// TakeLease takes a lease, or returns ErrLeaseHeld when it has seen it being renewed.
// holder names this process.
func TakeLease(ctx context.Context, js jetstream.JetStream, key, holder string) (*Lease, error) {
	kv, err := js.KeyValue(ctx, leaseBucket)
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	revision, err := kv.Create(ctx, key, []byte(holder))
	if errors.Is(err, jetstream.ErrKeyExists) {
		revision, err = overtake(ctx, kv, key, holder)
	}
	if errors.Is(err, ErrLeaseHeld) {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("take lease %s: %w", key, err)
	}
	return &Lease{kv: kv, key: key, holder: holder, revision: revision}, nil
}

// overtake watches a lease by our own measure of time, and takes it when nobody has
// renewed it for longer than it lives. Mostly the server has forgotten it by then; but
// where the server's clock was set back by an hour, it does not for an hour.
func overtake(ctx context.Context, kv jetstream.KeyValue, key, holder string) (uint64, error) {
	tick := time.NewTicker(LeaseLife / 10)
	defer tick.Stop()
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
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// created is ErrLeaseHeld where another was faster.
func created(revision uint64, err error) (uint64, error) {
	if errors.Is(err, jetstream.ErrKeyExists) || wrongLastSequence(err) {
		return 0, ErrLeaseHeld
	}
	return revision, err
}

// Hold runs work while the lease is renewed, and releases it afterwards. The context
// that work gets ends when the lease is lost, in time before another can take it; Hold
// returns when work has returned.
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

// renew returns when the lease can no longer be counted on.
func (l *Lease) renew(ctx context.Context) error {
	tick := time.NewTicker(LeaseLife / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		update, cancel := context.WithTimeout(ctx, LeaseLife/3)
		revision, err := l.kv.Update(update, l.key, []byte(l.holder), l.revision)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("renew %s: %w: %w", l.key, ErrLeaseHeld, err)
		}
		l.revision = revision
	}
}

func (l *Lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// Where this fails the lease expires by itself.
	_ = l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision))
}
