package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/events/eventstest"
	"leadsync/events/gate"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

func TestMain(m *testing.M) {
	leadstest.SideBySide(6)
	goleak.VerifyTestMain(m, eventstest.Goroutines()...)
}

const (
	billing = "the token of billing"
	bi      = "the token of bi, another one"
	member  = "a223c6b3710f85df22e9377d6c4f7553"
)

// ground is a server with two subscribers, five leads on the topic, and messages of
// leadsync's own.
type ground struct {
	t      *testing.T
	server *broker.Broker
	bus    *events.Bus
}

func newGround(t *testing.T) *ground {
	t.Helper()
	server, err := broker.Start(broker.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", ServiceToken: "service",
		Subscribers: []broker.Subscriber{{Name: "billing", Token: billing}, {Name: "bi", Token: bi}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	g := &ground{t: t, server: server}
	g.bus = eventstest.Connect(t, func() (*nats.Conn, error) { return server.Connect(events.Options()...) })
	serve(t, g.bus, 1)
	return g
}

// serve sets the streams up, opens the gate and publishes.
func serve(t *testing.T, bus *events.Bus, replicas int) {
	t.Helper()
	eventstest.Insist(t, func(ctx context.Context) error { return events.Setup(ctx, bus, replicas) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- gate.New(bus, leadstest.Silent(), broker.Streams...).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var topic *events.Topic
	eventstest.Insist(t, func(ctx context.Context) (err error) { topic, err = events.OpenTopic(ctx, bus); return err })
	for id := range int64(5) {
		eventstest.Insist(t, func(ctx context.Context) error {
			_, err := topic.Publish(ctx, leads.Change{
				MemberID: member, LeadID: id + 1, Revision: 1, Kind: leads.Added, Lead: json.RawMessage(`{"TITLE":"Anna"}`), ReadAt: time.Unix(1, 0),
			})
			return err
		})
	}
	n := events.Notice{Ref: leads.Ref{MemberID: member, LeadID: 1}}
	eventstest.Insist(t, func(ctx context.Context) error { return events.PublishNotice(ctx, bus, n) })
	eventstest.Insist(t, func(ctx context.Context) error { return events.PublishDead(ctx, bus, events.DeadLetter{Notice: n}) })
}

func (g *ground) connect(token string) jetstream.JetStream {
	g.t.Helper()
	return connect(g.t, g.server.URL(), nats.Token(token))
}

func connect(t *testing.T, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, append(opts, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	// The gate opens in a goroutine of its own.
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := nc.Request("$JS.API.STREAM.NAMES", nil, 5*time.Second)
		if err == nil {
			return js
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// receive takes a number of messages, and acknowledges each twice over.
func receive(t *testing.T, consumer jetstream.Consumer, count int) {
	t.Helper()
	var got []jetstream.Msg
	eventstest.Insist(t, func(context.Context) error {
		batch, err := consumer.Fetch(count-len(got), jetstream.FetchMaxWait(time.Minute))
		if err != nil {
			return err
		}
		for msg := range batch.Messages() {
			got = append(got, msg)
		}
		return batch.Error()
	})
	if len(got) != count {
		t.Fatalf("%d messages of %d", len(got), count)
	}
	for _, msg := range got {
		eventstest.Insist(t, msg.DoubleAck)
	}
}

// made is what do returns, however often it has to be asked.
func made[T any](t *testing.T, do func(ctx context.Context) (T, error)) T {
	t.Helper()
	var value T
	eventstest.Insist(t, func(ctx context.Context) (err error) { value, err = do(ctx); return err })
	return value
}

func TestSubscribersReadWithOrdinaryClients(t *testing.T) {
	g := newGround(t)
	readsLikeAnyClient(t, g.connect(billing))
}

func readsLikeAnyClient(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx := t.Context()
	stream := made(t, func(ctx context.Context) (jetstream.Stream, error) { return js.Stream(ctx, events.StreamLeads) })
	last := made(t, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return stream.GetLastMsgForSubject(ctx, "leads."+member+".3")
	})
	if !strings.Contains(string(last.Data), "Anna") {
		t.Errorf("the last message of a lead: %s", last.Data)
	}
	consumer := func(cfg jetstream.ConsumerConfig) jetstream.Consumer {
		return made(t, func(ctx context.Context) (jetstream.Consumer, error) { return stream.CreateOrUpdateConsumer(ctx, cfg) })
	}
	receive(t, consumer(jetstream.ConsumerConfig{Durable: "billing-orders", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "leads.>"}), 2)
	again := made(t, func(ctx context.Context) (jetstream.Consumer, error) {
		return js.Consumer(ctx, events.StreamLeads, "billing-orders")
	})
	receive(t, again, 3)
	if info := made(t, again.Info); info.NumAckPending != 0 || info.NumPending != 0 {
		t.Errorf("after all is acknowledged: %+v", info)
	}
	ordered := made(t, func(ctx context.Context) (jetstream.Consumer, error) {
		return stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy})
	})
	for range 5 {
		made(t, func(context.Context) (jetstream.Msg, error) { return ordered.Next(jetstream.FetchMaxWait(time.Minute)) })
	}
	receive(t, consumer(jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy}), 5)
	var names []string
	for name := range stream.ConsumerNames(ctx).Name() {
		names = append(names, name)
	}
	if len(names) != 3 {
		t.Errorf("consumers: %v", names)
	}
	name := made(t, func(ctx context.Context) (string, error) { return js.StreamNameBySubject(ctx, "leads.>") })
	if name != events.StreamLeads {
		t.Errorf("the stream of leads is %q", name)
	}
	made(t, js.AccountInfo)
	eventstest.Insist(t, func(ctx context.Context) error { return stream.DeleteConsumer(ctx, "billing-orders") })
}

// What one subscriber has made, no other sees, changes or deletes.
func TestSubscribersDoNotTouchEachOther(t *testing.T) {
	g := newGround(t)
	ctx := t.Context()
	mine, err := g.connect(billing).Stream(ctx, events.StreamLeads)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cfg := range []jetstream.ConsumerConfig{
		{Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "billing-orders", AckPolicy: jetstream.AckExplicitPolicy},
		{Name: "random", AckPolicy: jetstream.AckExplicitPolicy, InactiveThreshold: time.Hour},
	} {
		c, err := mine.CreateConsumer(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.CachedInfo().Name)
	}
	durable, err := mine.Consumer(ctx, "billing-orders")
	if err != nil {
		t.Fatal(err)
	}
	underWay, err := durable.Next(jetstream.FetchMaxWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	js := g.connect(bi)
	other, err := js.Stream(ctx, events.StreamLeads)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want a clear refusal", what, err)
		}
	}
	for _, name := range names {
		_, err := other.Consumer(ctx, name)
		refused("see "+name, err)
		refused("delete "+name, other.DeleteConsumer(ctx, name))
		_, err = other.PauseConsumer(ctx, name, time.Now().Add(time.Hour))
		refused("pause "+name, err)
		_, err = other.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "leads.x.1"})
		refused("change durable "+name, err)
		_, err = js.Conn().Request("$JS.API.CONSUMER.UNPIN.LEADS."+name, []byte(`{"group":"x"}`), 5*time.Second)
		if err != nil {
			t.Errorf("unpin %s is not answered: %v", name, err)
		}
		for _, body := range []string{`{"batch":10,"no_wait":true}`, ``} {
			msg, err := js.Conn().Request("$JS.API.CONSUMER.MSG.NEXT.LEADS."+name, []byte(body), 5*time.Second)
			if err == nil && !strings.Contains(string(msg.Data), `"code":403`) {
				t.Errorf("took a message of %s: %s %v", name, msg.Data, msg.Header)
			}
		}
	}
	if err := js.Conn().Publish(underWay.Reply(), []byte("+TERM")); err != nil {
		t.Fatal(err)
	}
	for name := range other.ConsumerNames(ctx).Name() {
		t.Errorf("sees consumer %s", name)
	}
	for info := range other.ListConsumers(ctx).Info() {
		t.Errorf("sees consumer %s", info.Name)
	}
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if info, err := durable.Info(ctx); err != nil || info.NumAckPending != 1 || info.Config.FilterSubject != "" || info.Paused {
		t.Errorf("the consumer was touched: %+v, %v", info, err)
	}
	if err := underWay.DoubleAck(ctx); err != nil {
		t.Error(err)
	}
}

func TestConsumersOfASubscriberAreBounded(t *testing.T) {
	g := newGround(t)
	stream, err := g.connect(billing).Stream(t.Context(), events.StreamLeads)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 65 {
		_, err := stream.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "billing-" + strconv.Itoa(i), AckPolicy: jetstream.AckExplicitPolicy})
		if want := i < 64; (err == nil) != want {
			t.Fatalf("consumer %d: %v", i, err)
		}
	}
	if _, err := stream.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "billing-1", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	if err := stream.DeleteConsumer(t.Context(), "billing-0"); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{1_000_000_000, 513, 512} { // requests that wait take memory of the server
		_, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "billing-0", AckPolicy: jetstream.AckExplicitPolicy, MaxWaiting: most})
		if (err == nil) != (most == 512) {
			t.Errorf("max_waiting %d: %v", most, err)
		}
	}
}

func leadsRef(id int64) leads.Ref { return leads.Ref{MemberID: member, LeadID: id} }

func brokerAccounts() (string, error) { return broker.Accounts("", "billing", "bi") }

// With a prefix subscribers read the streams that have it.
func TestSubscribersReadWithAPrefix(t *testing.T) {
	server, err := broker.Start(broker.Config{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", ServiceToken: "service", Prefix: "berlin", Subscribers: []broker.Subscriber{{Name: "billing", Token: billing}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nc, err := server.Connect(events.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	bus, err := events.Open(nc, "berlin")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, bus, 1)
	js := connect(t, server.URL(), nats.Token(billing))
	consumer, err := js.CreateConsumer(t.Context(), "berlin_LEADS", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "berlin.leads.>"})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, consumer, 5)
}
