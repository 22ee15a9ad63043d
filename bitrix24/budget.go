package bitrix24

import (
	"context"
	"sync"
	"time"

	"leadsync/retry"
)

// Lane says how urgent a request is. Each lane leaves part of the budget to more urgent
// ones, so that a nightly pass never makes a live read wait.
type Lane int

// The lanes, most urgent first.
const (
	Live       Lane = iota // leads that a callback names
	Operator               // commands, and the upkeep of bindings
	Background             // reconciliation, imports
)

// String names the lane as metrics do.
func (l Lane) String() string { return [...]string{"live", "operator", "background"}[l] }

// laneReserve is how many requests of the bucket a lane leaves to more urgent lanes.
var laneReserve = [...]float64{Live: 0, Operator: 5, Background: 10}

// starvedAfter is how long a lane waits until it may send one request without leaving a
// reserve. On a portal where leads are edited all the time, live reads take everything that
// leaks out of the bucket, and a pass would never finish.
const starvedAfter = 1500 * time.Millisecond

// A refusal within our share means that other programs call from the same address. Then the
// budget halves its share, down to leastShare, and doubles it after each yieldFor without
// another refusal.
const (
	leastShare = 1.0 / 8
	yieldFor   = time.Minute
)

// Budget is leadsync's share of a portal's leaky bucket. Only the portal's owner has one. It
// is safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	plan     Plan
	first    bool    // no owner before this one can have filled the bucket
	level    float64 // requests in the bucket
	at       time.Time
	until    time.Time // nothing is sent earlier
	told     time.Time // until when the portal asked to wait
	misses   int       // refusals in a row
	share    float64   // of what the plan allows; 1 while no other caller is noticed
	eased    time.Time // when the share last changed
	sent     int64
	refusals int64
	waiting  [len(laneReserve)]int
	since    [len(laneReserve)]time.Time // since when the lane has waited without sending
}

// NewBudget returns the budget of a new owner. It starts as if the bucket were full, because
// the owner before may have filled it; with first, which says that there was none, it starts
// empty.
func NewBudget(first bool) *Budget {
	b := &Budget{plan: StandardPlan, first: first, level: StandardPlan.Depth, at: time.Now(), share: 1}
	if first {
		b.level = 0
	}
	return b
}

// Follow changes the budget to another plan. If the bucket is larger than was assumed, the
// owner before may have filled the rest of it too.
func (b *Budget) Follow(plan Plan) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leak(time.Now())
	if more := plan.Depth - b.plan.Depth; more > 0 && !b.first {
		b.level += more
	}
	b.plan = plan
}

// BudgetState shows how much of a budget is used.
type BudgetState struct {
	Plan     Plan
	Level    float64 // our requests in the bucket
	Depth    float64 // requests up to which we fill it now
	Share    float64 // 1, or less while other programs use the address
	Sent     int64
	Refusals int64        // QUERY_LIMIT_EXCEEDED although we were within our share
	Waiting  map[Lane]int // requests that wait for the bucket to leak
}

// State returns the current state.
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

// Wait waits until a request in that lane may be sent, and counts it. The error is the
// context's.
func (b *Budget) Wait(ctx context.Context, lane Lane) error {
	b.queue(lane, 1)
	defer b.queue(lane, -1)
	for {
		wait := b.take(lane)
		if wait <= 0 {
			return ctx.Err()
		}
		if err := retry.Wait(ctx, wait); err != nil {
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

// reserve is how many requests a lane leaves to more urgent ones: 0 if it starves.
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
		// With a small share, one request may be more than the lane may ever have in the
		// bucket. Then it is sent when the bucket is empty.
		missing := min(1-room, b.level)
		wait := time.Duration(missing/(b.plan.Leak*b.share)*float64(time.Second)) + time.Millisecond
		if starves := b.since[lane].Add(starvedAfter).Sub(now); starves > 0 {
			wait = min(wait, starves) // after that it may use the reserve
		}
		return wait
	}
	b.level++
	b.sent++
	b.since[lane] = now
	return 0
}

// leak brings level and share up to date. Of what leaks out, our share makes room for us.
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

// refused records that the portal's bucket was full although ours was not: another program
// calls from the same address. The budget pauses, longer after each refusal in a row, and
// leaves more to the other program for a while. Requests that were on their way at the same
// time count once. wait is how long the portal asks to wait; 0 if it does not say.
func (b *Budget) refused(wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.refusals++
	if until := now.Add(wait); wait > 0 && until.After(b.told) {
		b.told = until
	}
	if !now.Before(b.until) {
		b.leak(now)
		b.share, b.eased = max(leastShare, b.share/2), now
		b.level = b.plan.Depth * b.share
		b.misses++
		b.until = now.Add(repeatPolicy.Delay(b.misses))
	}
	if b.told.After(b.until) {
		b.until = b.told
	}
}

// toldToWait is for how much longer the portal has asked to wait.
func (b *Budget) toldToWait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, time.Until(b.told))
}

func (b *Budget) accepted() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.misses = 0
}
