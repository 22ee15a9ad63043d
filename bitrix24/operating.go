package bitrix24

import (
	"context"
	"slices"
	"time"
)

// operatingLimit is what a method may use within ten minutes, in seconds. The clouds'
// value is not published: the documentation's example is 480, self-hosted portals that
// limit at all take 420 (docs/bitrix24.md 4).
const operatingLimit = 420.0

// operatingShare is up to which part of that limit a lane uses a method. A pass stops
// early enough that callbacks are still read: mostly by another method, and what it leaves
// of the lists are, at 0.02 s a page, some 20,000 leads of a backlog.
var operatingShare = [...]float64{Live: 0.98, Operator: 0.97, Background: 0.96}

// patience is how long a live or hasty read waits for a blocked method before it is told to come
// again: meanwhile nothing else of that portal can be written.
const patience = 5 * time.Second

// unknownReset is how long a method rests that was refused without saying until when.
const unknownReset = time.Minute

// meter is the operating time of one method.
type meter struct {
	used    float64   // seconds within ten minutes
	cost    float64   // of one call, in seconds
	reset   time.Time // when part of it is free again
	blocked time.Time // the portal has refused the method until then
	asked   int64     // how often it was asked
	pauses  int64     // how often a call waited for it
	refused int64     // by the portal
}

// untilReset is how long after the answer the oldest minute of operating time is free
// again. The portal's clock is only compared with itself.
func (t Time) untilReset() time.Duration {
	if t.OperatingResetAt <= 0 || t.Finish <= 0 || t.OperatingResetAt < t.Finish {
		return 0
	}
	return time.Duration((t.OperatingResetAt - t.Finish) * float64(time.Second))
}

// meter is called with the lock held.
func (s *shared) meter(method string) *meter {
	m := s.meters[method]
	if m == nil {
		m = &meter{}
		s.meters[method] = m
	}
	return m
}

// observe notes what an answer said of a method's operating time after so many calls.
func (c *Client) observe(method string, t Time, calls int) {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.meter(method)
	m.asked += int64(calls)
	if more := t.Operating - m.used; more > 0 && calls > 0 {
		m.cost = more / float64(calls)
	}
	m.used = t.Operating
	if wait := t.untilReset(); wait > 0 {
		m.reset = now.Add(wait)
	}
}

// observeBatch notes the operating time of each method of a batch.
func (c *Client) observeBatch(commands []Command, b Batch) {
	last, calls := map[string]Time{}, map[string]int{}
	for _, cmd := range commands {
		if t, ok := b.Times[cmd.Key]; ok {
			last[cmd.Method] = t
			calls[cmd.Method]++
		}
	}
	for method, t := range last {
		c.observe(method, t, calls[method])
	}
	for _, cmd := range commands {
		if e := b.Errors[cmd.Key]; e != nil && e.Code == codeOperating {
			c.block(cmd.Method, e.Wait)
		}
	}
}

// block rests a method that the portal has refused: for as long as it said, or until the
// time that an earlier answer named.
func (c *Client) block(method string, wait time.Duration) {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.meter(method)
	until := m.reset
	switch {
	case wait > 0:
		until = now.Add(wait)
	case !until.After(now):
		until = now.Add(unknownReset)
	}
	if !m.blocked.After(now) {
		m.refused++ // the commands of one batch are refused together
	}
	m.blocked = until
}

// rest waits until a method's operating time allows another call of this lane.
func (c *Client) rest(ctx context.Context, method string) error {
	for {
		wait := c.restFor(method)
		if wait <= 0 {
			return ctx.Err()
		}
		if (c.hasty || c.lane == Live) && wait > patience {
			e := newError(method, 0, codeOperating, "the method rests until the portal allows it again")
			e.Wait = wait
			return e
		}
		if err := c.cfg.Wait(ctx, wait); err != nil {
			return err
		}
	}
}

func (c *Client) restFor(method string) time.Duration {
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.meters[method]
	if m == nil {
		return 0
	}
	wait := m.blocked.Sub(now)
	if m.used >= operatingLimit*operatingShare[c.lane] {
		wait = max(wait, m.reset.Sub(now))
	}
	if wait > 0 {
		m.pauses++
	}
	return wait
}

// affordable is how many of up to count calls of a method stay within what the lane may
// use of it, at least one.
func (c *Client) affordable(method string, count int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.meters[method]
	if m == nil || m.cost <= 0 || m.reset.Before(c.cfg.Now()) {
		return count
	}
	left := (operatingLimit*operatingShare[c.lane] - m.used) / m.cost
	return max(1, min(count, int(left)))
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
