package service

import (
	"context"
	"time"
)

// shareOfTime is which part of the time a cache spends on finding its value: one in a hundred.
const shareOfTime = 100

// cache keeps a value that may take long to find, however often it is asked for: the longer it
// takes, the longer it is used again. One that takes a millisecond is a tenth of a second old
// at most.
type cache[T any] struct{ kept kept[T] }

// get returns the value, or finds it again. Errors are not kept.
func (c *cache[T]) get(ctx context.Context, find func(context.Context) (T, error)) (T, error) {
	return c.kept.share(ctx, func(took time.Duration) time.Duration { return shareOfTime * took }, find)
}

// lately is get for a value that may be old: who asks gets the last one at once, and where it is too
// old it is found again beside.
func (c *cache[T]) lately(ctx context.Context, find func(context.Context) (T, error)) (T, error) {
	value, has, fresh := c.kept.last()
	if !has {
		return c.get(ctx, find)
	}
	if !fresh {
		go func() { _, _ = c.get(context.WithoutCancel(ctx), find) }()
	}
	return value, nil
}
