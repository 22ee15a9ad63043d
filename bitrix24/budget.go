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

// String names the lane as metrics do.
func (l Lane) String() string { return [...]string{"live", "operator", "background"}[l] }

// laneReserve is the part of the burst that a lane leaves to the lanes before it.
var laneReserve = [...]float64{Live: 0, Operator: 5, Background: 10}

// starvedAfter is how long a lane waits before it may take one request as the lanes above
// it do: on a portal where leads are edited all the time live reads take all that leaks,
// and a pass would never come to its end.
const starvedAfter = 1500 * time.Millisecond

// A refusal although we are within our share means that others call from our address:
// we take half of what we took, down to leastShare, and twice as much again after each
// yieldFor without another.
const (
	leastShare = 1.0 / 8
	yieldFor   = time.Minute
)

// Budget is our share of a portal's leaky bucket. The portal's owner has the only one.
// It is safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	plan     Plan
	first    bool    // nobody else can have filled the bucket
	level    float64 // requests in the bucket
	at       time.Time
	until    time.Time // nothing is sent before
	misses   int       // refusals in a row
	share    float64   // of what we may use, 1 where nobody else is noticed
	eased    time.Time // when the share was changed last
	sent     int64
	refusals int64
	waiting  [len(laneReserve)]int
	since    [len(laneReserve)]time.Time // from when on the lane waits and gets nothing
}

// NewBudget is the budget of a new owner. It starts as if the bucket were full, since a
// former owner may have filled it; empty where there never was one.
func NewBudget(first bool) *Budget {
	b := &Budget{plan: StandardPlan, first: first, level: StandardPlan.Depth, at: time.Now(), share: 1}
	if first {
		b.level = 0
	}
	return b
}

// Follow makes the budget that of another plan. A bucket that turns out to be larger may
// have been filled to its brim by a former owner.
func (b *Budget) Follow(plan Plan) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leak(time.Now())
	if more := plan.Depth - b.plan.Depth; more > 0 && !b.first {
		b.level += more
	}
	b.plan = plan
}

// BudgetState is how a budget stands.
type BudgetState struct {
	Plan     Plan
	Level    float64 // requests in the bucket, as far as they are ours
	Depth    float64 // up to which we fill it now
	Share    float64 // 1, or less while others use the address
	Sent     int64
	Refusals int64        // QUERY_LIMIT_EXCEEDED, although we were within our share
	Waiting  map[Lane]int // requests that wait for the bucket to leak
}

// State is how the budget stands now.
func (b *Budget) State() BudgetState {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leak(time.Now())
	s := BudgetState{
		Plan: b.plan, Level: b.level, Depth: b.plan.Depth * b.share, Share: b.share, Sent: b.sent, Refusals: b.refusals,
		Waiting: map[Lane]int{},
	}
	for lane, n := range b.waiting {
		s.Waiting[Lane(lane)] = n
	}
	return s
}

// Wait returns when a request of that lane may be sent, and counts it.
func (b *Budget) Wait(ctx context.Context, lane Lane) error {
	b.queue(lane, 1)
	defer b.queue(lane, -1)
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

func (b *Budget) queue(lane Lane, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[lane] == 0 {
		b.since[lane] = time.Now()
	}
	b.waiting[lane] += n
}

// reserve is what a lane leaves to the lanes above it: nothing where it starves.
func (b *Budget) reserve(lane Lane, now time.Time) float64 {
	if now.Sub(b.since[lane]) >= starvedAfter {
		return 0
	}
	return laneReserve[lane]
}

// take counts one request, or returns how long to wait before asking again.
func (b *Budget) take(lane Lane) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.leak(now)
	if wait := b.until.Sub(now); wait > 0 {
		return wait
	}
	room := (b.plan.Depth-b.reserve(lane, now))*b.share - b.level
	if room < 1 && b.level > 0 {
		// With a small share even one request may be more than the lane's room: then it
		// is sent when the bucket is empty.
		missing := min(1-room, b.level)
		wait := time.Duration(missing/(b.plan.Leak*b.share)*float64(time.Second)) + time.Millisecond
		if starves := b.since[lane].Add(starvedAfter).Sub(now); starves > 0 {
			wait = min(wait, starves) // then it may have more
		}
		return wait
	}
	b.level++
	b.sent++
	b.since[lane] = now
	return 0
}

// leak brings level and share up to now. What leaks for us is our share of it.
func (b *Budget) leak(now time.Time) {
	for b.share < 1 && now.Sub(b.eased) >= yieldFor {
		b.leakAt(b.eased.Add(yieldFor))
		b.eased = b.eased.Add(yieldFor)
		b.share = min(1, 2*b.share)
	}
	b.leakAt(now)
}

func (b *Budget) leakAt(now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.level = max(0, b.level-b.plan.Leak*b.share*passed.Seconds())
		b.at = now
	}
}

// refused takes the portal's word that the bucket overflowed although we were under:
// somebody else calls from the same address. Back off 1 s, 2 s, 4 s … with jitter, and
// leave more to them for a while. Requests that were under way together count once.
func (b *Budget) refused() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refusals++
	if now.Before(b.until) {
		return
	}
	b.leak(now)
	b.share, b.eased = max(leastShare, b.share/2), now
	b.level = b.plan.Depth * b.share
	b.until = now.Add(backoff(b.misses))
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
