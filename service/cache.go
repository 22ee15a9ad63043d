package service

import (
	"context"
	"sync"
	"time"
)

// shareOfTime is which part of the time a cache spends on finding its value: one in a hundred.
const shareOfTime = 100

// cache keeps a value that may take long to find, however often it is asked for: the longer it
// takes, the longer it is used again. One that takes a millisecond is a tenth of a second old
// at most.
type cache[T any] struct {
	// Now is the process's own clock; nil is time.Now.
	Now func() time.Time

	mu    sync.Mutex
	value T
	until time.Time // when it is found again
}

// get returns the value, or finds it again. Errors are not kept.
func (c *cache[T]) get(ctx context.Context, find func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := c.now()
	if began.Before(c.until) {
		return c.value, nil
	}
	value, err := find(ctx)
	if ended := c.now(); err == nil {
		c.value, c.until = value, ended.Add(shareOfTime*ended.Sub(began))
	}
	return value, err
}

func (c *cache[T]) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
