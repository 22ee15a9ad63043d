package bitrix24

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Lane says how urgent a request is. A lane leaves part of the budget to the ones
// before it, so that a nightly pass never makes a caller wait.
type Lane int

// The lanes, most urgent first.
const (
	Live       Lane = iota // leads that a callback named
	Operator               // what somebody asked for by a command
	Background             // reconciliation, imports
)

// laneReserve is the part of the burst that a lane leaves to the lanes before it.
var laneReserve = [...]float64{Live: 0, Operator: 5, Background: 10}

// The leaky bucket of every plan but Enterprise, and what we use of it: others share
// the address. Source: facts 4, design section 5.
const (
	bucketLeak  = 2.0 // requests a second
	bucketDepth = 40.0
)

// Budget is our share of a portal's leaky bucket. The portal's owner has the only one.
// It is safe for concurrent use.
type Budget struct {
	mu     sync.Mutex
	level  float64 // requests in the bucket
	at     time.Time
	until  time.Time // nothing is sent before
	misses int       // refusals in a row
}

// NewBudget is the budget of a new owner. It starts as if the bucket were full, since a
// former owner may have filled it; empty where there never was one.
func NewBudget(first bool) *Budget {
	b := &Budget{level: bucketDepth, at: time.Now()}
	if first {
		b.level = 0
	}
	return b
}

// Wait returns when a request of that lane may be sent, and counts it.
func (b *Budget) Wait(ctx context.Context, lane Lane) error {
	for {
		wait := b.take(lane)
		if wait <= 0 {
			return ctx.Err()
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// take counts one request, or returns how long to wait before asking again.
func (b *Budget) take(lane Lane) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.level = max(0, b.level-bucketLeak*now.Sub(b.at).Seconds())
	b.at = now
	if wait := b.until.Sub(now); wait > 0 {
		return wait
	}
	room := bucketDepth - laneReserve[lane] - b.level
	if room < 1 {
		return time.Duration((1-room)/bucketLeak*float64(time.Second)) + time.Millisecond
	}
	b.level++
	return 0
}

// refused takes the portal's word that the bucket overflowed although we were under:
// somebody else calls from the same address. Back off 1 s, 2 s, 4 s … with jitter.
func (b *Budget) refused() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.level = bucketDepth
	b.until = time.Now().Add(backoff(b.misses))
	b.misses++
}

func (b *Budget) accepted() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.misses = 0
}

// backoff doubles from 1 s to 32 s, less up to a quarter so that replicas do not march
// in step.
func backoff(attempt int) time.Duration {
	d := time.Second << min(attempt, 5)
	return d - time.Duration(rand.Int64N(int64(d/4))) //nolint:gosec // jitter needs no secrecy
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
