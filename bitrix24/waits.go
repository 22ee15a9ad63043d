package bitrix24

import (
	"context"
	"sync/atomic"
	"time"
)

type waitsKey struct{}

// CountWaits returns a context for requests, and a function that says for how long they have
// waited until the portal's limits allowed them.
func CountWaits(ctx context.Context) (counting context.Context, waited func() time.Duration) {
	sum := &atomic.Int64{}
	return context.WithValue(ctx, waitsKey{}, sum), func() time.Duration { return time.Duration(sum.Load()) }
}

func addWait(ctx context.Context, wait time.Duration) {
	if sum, ok := ctx.Value(waitsKey{}).(*atomic.Int64); ok {
		sum.Add(int64(wait))
	}
}
