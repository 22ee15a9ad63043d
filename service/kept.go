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

// findLimit is how long a value may take to be found: less than a page waits.
const findLimit = 8 * time.Second

// kept is a value that is used again until it is too old, or somebody has changed what it was
// found in. It is found for all who ask meanwhile, so it does not depend on who asked first: a
// viewer who leaves cuts off nothing.
type kept[T any] struct {
	Limit time.Duration    // how long it may take; 0 is findLimit
	Now   func() time.Time // the process's own clock; nil is time.Now

	mu     sync.Mutex
	value  T
	has    bool // a value was found, and nothing has changed since that anybody told
	until  time.Time
	search *search[T] // that is under way; nil is none
}

// search is how a value is found. What it found may be read when done is closed.
type search[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// get returns the value, or finds it again and keeps it that long.
func (k *kept[T]) get(ctx context.Context, age time.Duration, find func(context.Context) (T, error)) (T, error) {
	return k.share(ctx, func(time.Duration) time.Duration { return age }, find)
}

// share is get where the age depends on how long the value took.
func (k *kept[T]) share(ctx context.Context, age func(took time.Duration) time.Duration, find func(context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	if k.now().Before(k.until) {
		defer k.mu.Unlock()
		return k.value, nil
	}
	under := k.search
	if under == nil {
		under = &search[T]{done: make(chan struct{})}
		k.search = under
		k.mu.Unlock()
		return k.run(ctx, under, age, find)
	}
	k.mu.Unlock()
	select {
	case <-under.done:
		return under.value, under.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// run finds the value. Nothing is kept that failed, that was cut off by the limit, which a finder
// that shows failures may return as a value, or that somebody forgot meanwhile.
func (k *kept[T]) run(ctx context.Context, under *search[T], age func(time.Duration) time.Duration, find func(context.Context) (T, error)) (T, error) {
	limit := k.Limit
	if limit == 0 {
		limit = findLimit
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	under.err = context.Canceled // of those who wait, where find panics
	defer close(under.done)
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.search == under {
			k.search = nil
		}
	}()
	began := k.now()
	under.value, under.err = find(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ended := k.now(); k.search == under && under.err == nil && ctx.Err() == nil {
		k.value, k.has, k.until = under.value, true, ended.Add(age(ended.Sub(began)))
	}
	return under.value, under.err
}

// forget has the value found again, also where it is being found from what was there before.
func (k *kept[T]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.has, k.until, k.search = false, time.Time{}, nil
}

// last is the value that was found last, however old; fresh says that it need not be found again.
func (k *kept[T]) last() (value T, has, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.value, k.has, k.now().Before(k.until)
}

func (k *kept[T]) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}
