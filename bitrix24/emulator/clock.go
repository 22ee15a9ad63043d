package emulator

import (
	"sync"
	"time"
)

// clock is the portal's time: the machine's time plus an offset, or a fixed time, so that
// minutes can pass at once in a test. Limits, lifetimes and the dates of leads use it; the
// delays of callbacks do not.
type clock struct {
	real func() time.Time

	mu     sync.RWMutex
	offset time.Duration
	frozen time.Time // zero while the clock runs
}

func (c *clock) now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return c.real().Add(c.offset)
}

// advance moves the clock, running or stopped.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		c.frozen = c.frozen.Add(d)
		return
	}
	c.offset += d
}

// set changes the time; a running clock continues from there.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		c.frozen = t
		return
	}
	c.offset = t.Sub(c.real())
}

// freeze stops the clock, or starts it again from where it stopped.
func (c *clock) freeze(stop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case stop && c.frozen.IsZero():
		c.frozen = c.real().Add(c.offset)
	case !stop && !c.frozen.IsZero():
		c.offset = c.frozen.Sub(c.real())
		c.frozen = time.Time{}
	}
}

func (c *clock) stopped() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return !c.frozen.IsZero()
}
