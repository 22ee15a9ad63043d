package service

import (
	"context"
	"sync"
)

// jobs are what people started on a page and did not wait for. They end with the service.
type jobs struct {
	ctx  context.Context //nolint:containedctx // of everything that is started, by requests that end before
	stop context.CancelFunc

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newJobs() *jobs {
	j := &jobs{}
	j.ctx, j.stop = context.WithCancel(context.Background())
	return j
}

// start runs do beside what waits for a page; false once the service stops.
func (j *jobs) start(do func(context.Context)) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped {
		return false
	}
	j.running.Go(func() { do(j.ctx) })
	return true
}

// end stops what runs, and returns when it has ended.
func (j *jobs) end() {
	j.mu.Lock()
	j.stopped = true
	j.mu.Unlock()
	j.stop()
	j.running.Wait()
}
