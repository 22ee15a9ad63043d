package emulator

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxCallbacks is how many callbacks are remembered.
const maxCallbacks = 100_000

// queue delivers each callback once, after a delay and several at the same time for each
// handler, and never again after an error or a time-out (docs/bitrix24.md 2.5). A slow handler
// gets its callbacks one by one, and so later.
type queue struct {
	delay, delayMax time.Duration
	width           int
	slow            time.Duration // a handler that takes longer is slow; documented without a number (docs/bitrix24.md 2.5)
	client          *http.Client
	ctx             context.Context //nolint:containedctx // Close cancels it to end the deliveries
	cancel          context.CancelFunc
	workers         sync.WaitGroup

	mu       sync.Mutex
	rng      *rng
	closed   bool
	waiting  int           // queued or under way
	idle     chan struct{} // closed while nothing waits
	handlers map[string]*handler
	past     []Callback // a ring buffer once it is full
	oldest   int
	sent     int
	failed   int
	lost     int
}

// handler is one address that callbacks go to.
type handler struct {
	ready   []func()
	running int
	slow    bool // its last answer took long
}

func newQueue(cfg *Config) *queue {
	ctx, cancel := context.WithCancel(context.Background())
	idle := make(chan struct{})
	close(idle)
	return &queue{
		delay: cfg.Delay, delayMax: cfg.DelayMax, width: cfg.Deliveries, slow: cfg.SlowAnswer,
		client: &http.Client{
			Timeout: cfg.HandlerTimeout,
			// An unused connection would keep a handler's server from shutting down, so it
			// does not stay open for long.
			Transport:     &http.Transport{MaxIdleConnsPerHost: cfg.Deliveries, MaxConnsPerHost: cfg.Deliveries, IdleConnTimeout: time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		ctx: ctx, cancel: cancel,
		rng:      newRNG(cfg.Seed, useQueue),
		idle:     idle,
		handlers: map[string]*handler{},
	}
}

// push queues a callback; a late one is sent after those that follow it.
func (q *queue) push(p *Portal, n *notice, late bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if q.waiting == 0 {
		q.idle = make(chan struct{})
	}
	q.waiting++
	wait := q.delay
	if spread := q.delayMax - q.delay; spread > 0 {
		wait += time.Duration(q.rng.below(int(spread/time.Microsecond)+1)) * time.Microsecond
	}
	if late {
		wait += q.late()
	}
	time.AfterFunc(wait, func() { q.enqueue(n.to.handler, func() { q.deliver(p, n) }) })
}

// late is how much longer a late callback waits.
func (q *queue) late() time.Duration { return 4 * max(q.delayMax, 10*time.Millisecond) }

// longest is the longest delay of a callback.
func (q *queue) longest() time.Duration { return q.delayMax + q.late() }

// enqueue makes a callback whose delay is over ready for its handler.
func (q *queue) enqueue(address string, send func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	h := q.handlers[address]
	if h == nil {
		h = &handler{}
		q.handlers[address] = h
	}
	h.ready = append(h.ready, send)
	if h.running == 0 || h.running < q.width && !h.slow {
		h.running++
		q.workers.Go(func() { q.work(h) })
	}
}

// work sends a handler's callbacks until none is ready.
func (q *queue) work(h *handler) {
	for {
		q.mu.Lock()
		if len(h.ready) == 0 || q.closed || h.slow && h.running > 1 {
			h.running--
			q.mu.Unlock()
			return
		}
		send := h.ready[0]
		h.ready = h.ready[1:]
		q.mu.Unlock()
		begin := time.Now()
		send()
		q.mu.Lock()
		h.slow = time.Since(begin) > q.slow
		q.mu.Unlock()
	}
}

// deliver makes the one attempt to send a callback.
func (q *queue) deliver(p *Portal, n *notice) {
	cb := Callback{Event: n.event, SentAt: p.clock.now().In(p.zone)}
	if n.lead != 0 {
		cb.Lead = &n.lead
	}
	status, text, err := q.post(p.spelled(n.to.handler), p.body(n))
	cb.Status = status
	if err != nil {
		cb.Error = err.Error()
	}
	defer n.ended(outcome{status: status, text: text, err: err}) // when it is among those that Callbacks returns
	q.mu.Lock()
	defer q.mu.Unlock()
	if cb.Status >= 200 && cb.Status < 300 {
		q.sent++
	} else {
		if err == nil {
			cb.Error = saying(text)
		}
		q.failed++
		p.log.Info("callback failed and will not be repeated", "event", n.event, "status", status, "error", cb.Error)
	}
	q.remember(cb)
	if q.closed {
		return
	}
	q.waiting--
	if q.waiting == 0 {
		close(q.idle)
	}
}

// post returns the status and the beginning of the text of the answer.
func (q *queue) post(address, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(q.ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Bitrix24 Webhook Engine")
	resp, err := q.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection can be used again
	return resp.StatusCode, string(begin), resp.Body.Close()
}

// lose records a callback that a fault suppressed.
func (q *queue) lose(n *notice, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost++
	cb := Callback{Event: n.event, SentAt: now, Error: errLost.Error()}
	if n.lead != 0 {
		cb.Lead = &n.lead
	}
	q.remember(cb)
}

func (q *queue) remember(cb Callback) {
	if len(q.past) < maxCallbacks {
		q.past = append(q.past, cb)
		return
	}
	q.past[q.oldest] = cb
	q.oldest = (q.oldest + 1) % maxCallbacks
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	if q.waiting > 0 {
		q.waiting = 0
		close(q.idle)
	}
	q.mu.Unlock()
	q.cancel()
	q.workers.Wait()
	q.client.CloseIdleConnections()
}

// Callbacks returns the newest 100,000 callbacks, oldest first.
func (p *Portal) Callbacks() []Callback {
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Callback, 0, len(q.past))
	all = append(all, q.past[q.oldest:]...)
	return append(all, q.past[:q.oldest]...)
}

// DrainCallbacks waits until no callback is queued or under way. The error is the context's.
func (p *Portal) DrainCallbacks(ctx context.Context) error {
	for {
		p.queue.mu.Lock()
		idle, waiting := p.queue.idle, p.queue.waiting
		p.queue.mu.Unlock()
		if waiting == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
