package demo

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// again is how long a subscriber waits before it tries again.
const again = 100 * time.Millisecond

// subscriber is another system that subscribes to the topic of leads.
// It connects like any subscriber, over TCP and with a subscriber's rights.
type subscriber struct {
	listening chan struct{}

	mu       sync.Mutex
	messages int64
	last     uint64
	repaired map[leads.Ref]bool
}

func newSubscriber() *subscriber {
	return &subscriber{listening: make(chan struct{}), repaired: map[leads.Ref]bool{}}
}

// listen receives changes until the context ends.
func (s *subscriber) listen(ctx context.Context, url, token string) error {
	nc, err := events.Connect(events.Server{URL: url, Token: token})
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err != nil {
		return err
	}
	close(s.listening)
	// A service that is starting answers a little later.
	loop := retry.Loop{Policy: retry.Policy{First: again, Max: again}, Final: func(err error) bool { return !events.Unavailable(err) }}
	return loop.Until(ctx, func(ctx context.Context) error { return events.Subscribe(ctx, bus, "", true, s.take) })
}

// ready returns when the subscriber is connected.
func (s *subscriber) ready(ctx context.Context) error {
	select {
	case <-s.listening:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *subscriber) take(msg jetstream.Msg) {
	change, err := events.ParseChange(msg)
	if err != nil {
		return
	}
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	s.last = meta.Sequence.Stream
	if change.Cause == leads.CauseReconcile {
		s.repaired[change.Ref()] = true
	}
}

func (s *subscriber) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

// received is the sequence of the last message.
func (s *subscriber) received() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// receivedRepair tells whether a repair of that lead was announced.
func (s *subscriber) receivedRepair(ref leads.Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repaired[ref]
}
