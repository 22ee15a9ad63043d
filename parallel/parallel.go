// Package parallel spreads work that only computes over the cores of the machine.
package parallel

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Chunks calls do for each run of at most size numbers below n, from first up to, and without, end: on as many cores as the
// process has, in no order. It returns when all calls have returned; a single chunk runs on the caller's goroutine.
func Chunks(n, size int, do func(first, end int)) {
	chunks := (n + size - 1) / size
	workers := min(runtime.GOMAXPROCS(0), chunks)
	var taken atomic.Int64
	work := func() error {
		for {
			chunk := int(taken.Add(1)) - 1
			if chunk >= chunks {
				return nil
			}
			do(chunk*size, min(n, (chunk+1)*size))
		}
	}
	var others errgroup.Group
	for range workers - 1 {
		others.Go(work)
	}
	_ = work()
	_ = others.Wait()
}

// For calls do for each number below n. Numbers that are close to each other are worked off by the same core, size at a time.
func For(n, size int, do func(i int)) {
	Chunks(n, size, func(first, end int) {
		for i := first; i < end; i++ {
			do(i)
		}
	})
}
