package events

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// LimitBatches makes a topic give up a batch sooner.
func (t *Topic) LimitBatches(limit time.Duration) { t.batchLimit = limit }

// Answered asks until somebody is there to answer, for a while.
func Answered(ctx context.Context, ask func(context.Context) (*nats.Msg, error)) (*nats.Msg, error) {
	return answered(ctx, ask)
}

// ReadPage reads some messages of a consumer that was just made.
func ReadPage(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	return readPage(ctx, consumer, pageSize)
}

// FailRenewals makes the next renewals of a lease fail as they do while there is no
// connection.
func (l *Lease) FailRenewals(n int32) {
	failing := &failingBucket{KeyValue: l.kv}
	failing.left.Store(n)
	l.kv = failing
}

type failingBucket struct {
	jetstream.KeyValue
	left atomic.Int32
}

func (b *failingBucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if b.left.Add(-1) >= 0 {
		return 0, nats.ErrNoResponders
	}
	return b.KeyValue.Update(ctx, key, value, revision)
}

// HoldNotices makes what is published wait until release, as it does while a batch is under way.
func (b *Bus) HoldNotices() (waiting func() int, release func()) {
	g := &b.notices
	g.mu.Lock()
	defer g.mu.Unlock()
	g.working = true
	waiting = func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.waiting)
	}
	return waiting, g.work
}

// AskAgain lets the time pass for which a stream is taken to know no batches.
func (b *Bus) AskAgain() { b.notices.asked = b.notices.asked.Add(-askAgain) }
