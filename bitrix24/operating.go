package bitrix24

import (
	"context"
	"slices"
	"sync"
	"time"
)

// operatingLimit is how many seconds a method may use within ten minutes. The cloud's
// value is not published: the documentation's example is 480, self-hosted portals that
// have a limit take 420 (docs/bitrix24.md 4).
const operatingLimit = 420.0

// operatingShare is the part of that limit up to which a lane uses a method. A pass stops
// early enough that callbacks are still read: those mostly use another method, and what a
// pass leaves of the lists is enough, at 0.02 s a page, for a backlog of some 20,000 leads.
var operatingShare = [...]float64{Live: 0.98, Operator: 0.97, Background: 0.96}

// hastyLimit is how long a live or hasty call waits for a blocked method, or because the portal
// asks for it, before it returns an error: nothing else of that portal can be written meanwhile.
const hastyLimit = 5 * time.Second

// unknownReset is how long a refused method is left alone if the portal did not say until
// when it is blocked.
const unknownReset = time.Minute

// meters watch the operating time of each method. They are safe for concurrent use.
type meters struct {
	now func() time.Time

	mu      sync.Mutex
	methods map[string]*meter
}

// meter is the operating time of one method.
type meter struct {
	used         float64   // seconds within ten minutes
	cost         float64   // seconds of one call
	reset        time.Time // when part of it is free again
	blockedUntil time.Time // by the portal
	calls        int64     // answered
	pauses       int64     // how often a call waited for operating time
	refused      int64     // how often the portal blocked the method
}

// untilReset is how long after the answer the oldest minute of operating time is free
// again, ten minutes at most; 0 if the answer does not say. It compares the portal's clock with
// itself only.
func (t Time) untilReset() time.Duration {
	if t.OperatingResetAt <= 0 || t.Finish <= 0 || t.OperatingResetAt < t.Finish {
		return 0
	}
	return time.Duration(min(t.OperatingResetAt-t.Finish, retryLimit.Seconds()) * float64(time.Second))
}

// of returns a method's meter. The caller holds mu.
func (s *meters) of(method string) *meter {
	m := s.methods[method]
	if m == nil {
		m = &meter{}
		s.methods[method] = m
	}
	return m
}

// observe records what an answer says about a method's operating time after that many calls.
func (s *meters) observe(method string, t Time, calls int) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of(method)
	m.calls += int64(calls)
	if more := t.Operating - m.used; more > 0 && calls > 0 {
		m.cost = more / float64(calls)
	}
	m.used = t.Operating
	if wait := t.untilReset(); wait > 0 {
		m.reset = now.Add(wait)
	}
}

// observeBatch records the operating time of each method of a batch.
func (s *meters) observeBatch(commands []Command, b Batch) {
	last, calls := map[string]Time{}, map[string]int{}
	for _, cmd := range commands {
		if t, ok := b.Times[cmd.Key]; ok {
			last[cmd.Method] = t
			calls[cmd.Method]++
		}
	}
	for method, t := range last {
		s.observe(method, t, calls[method])
	}
	for _, cmd := range commands {
		if e := b.Errors[cmd.Key]; e != nil && e.Code == codeOperating {
			s.block(cmd.Method, e.Wait)
		}
	}
}

// block marks a method that the portal has refused: for as long as it said, or until the
// time that an earlier answer named.
func (s *meters) block(method string, wait time.Duration) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.of(method)
	until := m.reset
	switch {
	case wait > 0:
		until = now.Add(wait)
	case !until.After(now):
		until = now.Add(unknownReset)
	}
	if !m.blockedUntil.After(now) {
		m.refused++ // the portal refuses the commands of one batch together
	}
	m.blockedUntil = until
}

// wait is how long a call of that lane must wait for a method's operating time.
func (s *meters) wait(method string, lane Lane) time.Duration {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.methods[method]
	if m == nil {
		return 0
	}
	wait := m.blockedUntil.Sub(now)
	if m.used >= operatingLimit*operatingShare[lane] {
		wait = max(wait, m.reset.Sub(now))
	}
	if wait > 0 {
		m.pauses++
	}
	return wait
}

// affordable is how many of up to count calls of a method stay within the lane's share of
// its operating time, at least one.
func (s *meters) affordable(method string, lane Lane, count int) int {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.methods[method]
	if m == nil || m.cost <= 0 || m.reset.Before(now) {
		return count
	}
	left := (operatingLimit*operatingShare[lane] - m.used) / m.cost
	return int(max(1, min(float64(count), left))) // a float: a cost of nearly nothing affords more than an int holds
}

// refused is how often the portal blocked a method.
func (s *meters) refused() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for _, m := range s.methods {
		n += m.refused
	}
	return n
}

// states is the state of every method that was called.
func (s *meters) states() map[string]MethodState {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make(map[string]MethodState, len(s.methods))
	for method, m := range s.methods {
		states[method] = MethodState{
			Used: m.used, Limit: operatingLimit, Calls: m.calls, Pauses: m.pauses, Refused: m.refused,
			Blocked: max(0, m.blockedUntil.Sub(now)),
		}
	}
	return states
}

// awaitMethod waits until a method's operating time allows another call in this lane.
func (c *Client) awaitMethod(ctx context.Context, method string) error {
	for {
		wait := c.shared.meters.wait(method, c.lane)
		if wait <= 0 {
			return ctx.Err()
		}
		if c.impatient(wait) {
			return unsent(method, codeOperating, "the method's operating time is used up until the portal frees some", wait)
		}
		if err := c.cfg.Wait(ctx, wait); err != nil {
			return err
		}
	}
}

// methodsOf are the different methods of a batch.
func methodsOf(commands []Command) []string {
	var methods []string
	for _, cmd := range commands {
		if !slices.Contains(methods, cmd.Method) {
			methods = append(methods, cmd.Method)
		}
	}
	return methods
}
