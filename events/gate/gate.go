// Package gate stands between subscribers and JetStream. Each subscriber has a NATS account
// of its own, which imports the reading interface of the service's account; requests about
// streams and consumers come through here. A consumer's name says whose it is: those of the
// subscriber billing are called billing, or begin with billing-. Clients choose names of
// temporary consumers at random, so the gate puts billing- before them. Messages and
// acknowledgements do not come through here: there the server compares the names
// (events/broker/accounts.go). The gate knows nothing of what travels on the streams.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"leadsync/events"
)

// Subject is where requests arrive, without the bus's prefix: the name of the subscriber
// follows, then what it asks for. The configuration of accounts sees to it that a
// subscriber reaches its own name only.
const Subject = "leadsync.gate."

// atOnce is how many requests of a subscriber may be under way at the same time.
const atOnce = 8

// Requests that wait for the gate; more are lost, as if nobody answered.
const (
	mostWaiting      = 4096
	mostWaitingBytes = 8 << 20
)

// mostBytes is more than a request needs.
const mostBytes = 64 << 10

// Gate answers the requests of subscribers.
type Gate struct {
	bus     *events.Bus
	log     *slog.Logger
	streams []string // that subscribers may read, as the server calls them

	mu    sync.Mutex
	under map[string]int // requests under way, by subscriber
}

// New makes a gate to the streams that are named, without the bus's prefix.
func New(bus *events.Bus, log *slog.Logger, streams ...string) *Gate {
	g := &Gate{bus: bus, log: log, under: map[string]int{}}
	for _, name := range streams {
		g.streams = append(g.streams, bus.Name(name))
	}
	return g
}

// Run answers until the context ends. Several processes share the work.
func (g *Gate) Run(ctx context.Context) error {
	sub, err := g.bus.Conn().QueueSubscribe(g.bus.Subject(Subject+">"), "leadsync", func(msg *nats.Msg) { g.take(ctx, msg) })
	if err != nil {
		return fmt.Errorf("answer subscribers: %w", err)
	}
	if err := sub.SetPendingLimits(mostWaiting, mostWaitingBytes); err != nil {
		return fmt.Errorf("answer subscribers: %w", err)
	}
	<-ctx.Done()
	return sub.Unsubscribe()
}

// request is what a subscriber asks for: leadsync.gate.<subscriber>.<family>.<words>.
type request struct {
	subscriber string
	family     string   // stream or consumer
	words      []string // such as MSG NEXT LEADS billing-orders
	msg        *nats.Msg
}

func (g *Gate) parse(msg *nats.Msg) (request, bool) {
	rest, ok := strings.CutPrefix(msg.Subject, g.bus.Subject(Subject))
	words := strings.Split(rest, ".")
	if !ok || len(words) < 3 || len(msg.Data) > mostBytes {
		return request{}, false
	}
	return request{subscriber: words[0], family: words[1], words: words[2:], msg: msg}, true
}

// take answers one request, without holding up others.
func (g *Gate) take(ctx context.Context, msg *nats.Msg) {
	r, ok := g.parse(msg)
	if !ok {
		g.refuse(msg, "the request is not one that leadsync knows, or is too large")
		return
	}
	if !g.begin(r.subscriber) {
		g.refuse(msg, "too many requests at the same time; wait for the answers")
		return
	}
	go func() {
		defer g.end(r.subscriber)
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		if err := g.answer(ctx, r); err != nil {
			g.log.DebugContext(ctx, "a subscriber's request was refused", "subscriber", r.subscriber, "request", strings.Join(r.words, "."), "error", err)
			g.refuse(r.msg, err.Error())
		}
	}()
}

// begin reports whether one more request of a subscriber may be under way.
func (g *Gate) begin(subscriber string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under[subscriber] >= atOnce {
		return false
	}
	g.under[subscriber]++
	return true
}

func (g *Gate) end(subscriber string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under[subscriber]--; g.under[subscriber] == 0 {
		delete(g.under, subscriber)
	}
}

// answer forwards a request, answers it, or returns why it is refused.
func (g *Gate) answer(ctx context.Context, r request) error {
	switch r.family {
	case "stream":
		return g.stream(ctx, r)
	case "consumer":
		return g.consumer(ctx, r)
	default:
		return errors.New("leadsync does not let subscribers do that")
	}
}

// forward asks the server and passes its answer on.
func (g *Gate) forward(ctx context.Context, r request, subject string, data []byte) error {
	answer, err := g.bus.Conn().RequestWithContext(ctx, subject, data)
	if err != nil {
		return fmt.Errorf("NATS does not answer: %w", err)
	}
	if r.msg.Reply == "" {
		return nil
	}
	passed := nats.NewMsg(r.msg.Reply)
	passed.Data, passed.Header = answer.Data, answer.Header
	return g.bus.Conn().PublishMsg(passed)
}

// api is a subject of JetStream's interface.
func api(words ...string) string { return "$JS.API." + strings.Join(words, ".") }

// refuse answers with an error as the server makes them.
func (g *Gate) refuse(msg *nats.Msg, why string) {
	g.respond(msg, map[string]any{"error": map[string]any{"code": 403, "description": why}})
}

func (g *Gate) respond(msg *nats.Msg, answer any) {
	if msg.Reply == "" {
		return
	}
	data, err := json.Marshal(answer)
	if err == nil {
		err = msg.Respond(data)
	}
	if err != nil {
		g.log.Debug("a subscriber was not answered", "error", err)
	}
}

func (g *Gate) readable(stream string) bool { return slices.Contains(g.streams, stream) }
