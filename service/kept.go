package service

import (
	"context"
	"sync"
	"time"
)

// caches are a cache for each portal.
type caches[T any] struct {
	mu sync.Mutex
	by map[string]*cache[T]
}

func (c *caches[T]) of(memberID string) *cache[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*cache[T]{}
	}
	if c.by[memberID] == nil {
		c.by[memberID] = &cache[T]{}
	}
	return c.by[memberID]
}

// kept is a value that is used again until it is too old, or somebody has changed what it
// was found in.
type kept[T any] struct {
	mu    sync.Mutex
	value T
	until time.Time // by the process's own clock
}

func (k *kept[T]) get(ctx context.Context, age time.Duration, find func(context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.value, nil
	}
	value, err := find(ctx)
	if err == nil {
		k.value, k.until = value, time.Now().Add(age)
	}
	return value, err
}

func (k *kept[T]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
}
