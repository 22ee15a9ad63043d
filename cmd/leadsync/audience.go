package main

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
)

// audience is another system that subscribes to the topic of leads: the demo's witness.
// It connects like any subscriber, over TCP and with a subscriber's rights.
type audience struct {
	listening chan struct{}

	mu       sync.Mutex
	messages int64
	last     uint64
	repaired map[leads.Ref]bool
}

func newAudience() *audience {
	return &audience{listening: make(chan struct{}), repaired: map[leads.Ref]bool{}}
}

// listen hears changes until the context ends.
func (a *audience) listen(ctx context.Context, url string) error {
	nc, err := events.Connect(url, "")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := events.JetStream(nc)
	if err != nil {
		return err
	}
	close(a.listening)
	return events.Subscribe(ctx, js, "", true, a.hear)
}

// ready returns when the audience is connected.
func (a *audience) ready(ctx context.Context) error {
	select {
	case <-a.listening:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *audience) hear(msg jetstream.Msg) {
	change, err := events.ParseChange(msg)
	if err != nil {
		return
	}
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.messages++
	a.last = meta.Sequence.Stream
	if change.Cause == leads.CauseReconcile {
		a.repaired[change.Ref()] = true
	}
}

func (a *audience) count() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.messages
}

// heard is the sequence of the last message.
func (a *audience) heard() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// heardRepair tells whether a repair of that lead was announced.
func (a *audience) heardRepair(ref leads.Ref) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.repaired[ref]
}
