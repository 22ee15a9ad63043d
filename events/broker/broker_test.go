package broker_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/events/eventstest"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"leadsync/events/broker"
	"leadsync/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, eventstest.Goroutines()...) }

const loopback = "127.0.0.1:0"

func start(tb testing.TB, cfg broker.Config) *broker.Broker {
	tb.Helper()
	if cfg.Dir == "" {
		cfg.Dir = tb.TempDir()
	}
	cfg.ServiceToken = "the service"
	b, err := broker.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return b
}

func service(tb testing.TB, b *broker.Broker) jetstream.JetStream {
	tb.Helper()
	nc, err := b.Connect()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	for name, subject := range map[string]string{"LEADS": "leads.*.*", "BITRIX24_NOTICES": "bitrix24.notices.*.*"} {
		if _, err := js.CreateStream(tb.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			tb.Fatal(err)
		}
	}
	return js
}

// subscriber connects as another system does; the channel gets the errors of the server.
func subscriber(tb testing.TB, b *broker.Broker, opts ...nats.Option) (*nats.Conn, <-chan error) {
	tb.Helper()
	refusals := make(chan error, 10)
	nc, err := nats.Connect(b.URL(), append(opts, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		refusals <- err
	}))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc, refusals
}

func TestSubscriberReadsTheTopicOfLeads(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback})
	if _, err := service(t, b).Publish(t.Context(), "leads.m.1", []byte("a change")); err != nil {
		t.Fatal(err)
	}
	nc, refusals := subscriber(t, b)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), "LEADS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil || string(msg.Data()) != "a change" {
		t.Fatalf("%v", err)
	}
	select {
	case err := <-refusals:
		t.Errorf("refused: %v", err)
	default:
	}
}

func TestSubscriberMayOnlyReadLeads(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback})
	own := service(t, b)
	nc, refusals := subscriber(t, b)
	for _, test := range []struct {
		name string
		try  func() error
	}{
		{"publish a change", func() error { return nc.Publish("leads.m.1", nil) }},
		{"publish a notice", func() error { return nc.Publish("bitrix24.notices.m.1", nil) }},
		{"publish an installation", func() error { return nc.Publish("bitrix24.portals.m", nil) }},
		{"read notices live", func() error { _, err := nc.SubscribeSync("bitrix24.>"); return err }},
		{"read everything live", func() error { _, err := nc.SubscribeSync(">"); return err }},
		{"read dead letters live", func() error { _, err := nc.SubscribeSync("leadsync.dead.>"); return err }},
		{"read a notice", func() error { return nc.Publish("$JS.API.STREAM.MSG.GET.BITRIX24_NOTICES", []byte(`{"seq":1}`)) }},
		{"consume notices", func() error { return nc.Publish("$JS.API.CONSUMER.CREATE.BITRIX24_NOTICES", nil) }},
		{"delete the topic", func() error { return nc.Publish("$JS.API.STREAM.DELETE.LEADS", nil) }},
		{"purge the topic", func() error { return nc.Publish("$JS.API.STREAM.PURGE.LEADS", nil) }},
		{"take a lease", func() error { return nc.Publish("$KV.LEADSYNC_LEASES.relay", nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.try(); err != nil {
				t.Fatal(err)
			}
			if err := <-refusals; !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, name := range []string{"LEADS", "BITRIX24_NOTICES"} {
		s, err := own.Stream(t.Context(), name)
		if err != nil || s.CachedInfo().State.Msgs != 0 {
			t.Errorf("%s has messages, %v", name, err)
		}
	}
}

func TestTokenIsRequired(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback, Token: "subscribers"})
	for _, test := range []struct {
		name  string
		token string
		want  error
	}{
		{"right", "subscribers", nil},
		{"wrong", "subscribes", nats.ErrAuthorization},
		{"missing", "", nats.ErrAuthorization},
		{"the service's", "the service", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, err := nats.Connect(b.URL(), nats.Token(test.token))
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if nc != nil {
				nc.Close()
			}
		})
	}
}

func TestInvalidAddressesAreRefused(t *testing.T) {
	taken, err := net.Listen("tcp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name   string
		cfg    broker.Config
		says   string
		advice string
	}{
		{"taken", broker.Config{Listen: taken.Addr().String(), ServiceToken: "s"}, taken.Addr().String(), "choose another port"},
		{"no port", broker.Config{Listen: "127.0.0.1", ServiceToken: "s"}, "want host:port", "127.0.0.1:4222"},
		{"a name for a port", broker.Config{Listen: "127.0.0.1:nats", ServiceToken: "s"}, "want host:port", "127.0.0.1:4222"},
		{"reachable by others", broker.Config{Listen: "0.0.0.0:0", ServiceToken: "s"}, "needs a token", ""},
		{"without a service token", broker.Config{}, "service token", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Dir = t.TempDir()
			_, err := broker.Start(test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.advice) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStoreOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	first := start(t, broker.Config{Dir: dir})
	if _, err := service(t, first).Publish(t.Context(), "leads.m.1", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	first.Close()
	js := service(t, start(t, broker.Config{Dir: dir}))
	s, err := js.Stream(t.Context(), "LEADS")
	if err != nil || s.CachedInfo().State.Msgs != 1 {
		t.Errorf("after a restart: %v", err)
	}
}

func TestNoAddressMeansNoListener(t *testing.T) {
	if url := start(t, broker.Config{}).URL(); url != "" {
		t.Errorf("the server listens on %s", url)
	}
}

// The server itself publishes to the subject of a push consumer: a subscriber must not use
// that to publish where it has no right to.
func TestPushConsumersGiveNoMoreRights(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback})
	own := service(t, b)
	for name, subject := range map[string]string{"PORTALS": "bitrix24.portals.*", "KV_LEASES": "$KV.LEASES.>", "DEAD": "leadsync.dead.>"} {
		if _, err := own.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{"leads.m.1", "bitrix24.notices.m.9"} {
		if _, err := own.Publish(t.Context(), subject, []byte(`{"event":"ONCRMLEADDELETE"}`)); err != nil {
			t.Fatal(err)
		}
	}
	notices, err := own.CreateConsumer(t.Context(), "BITRIX24_NOTICES", jetstream.ConsumerConfig{Durable: "notices-m", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	underWay, err := notices.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	nc, _ := subscriber(t, b)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i, subject := range []string{
		"bitrix24.notices.m.1", "bitrix24.portals.m", "$KV.LEASES.relay", "leadsync.dead.m.1", "$JS.API.STREAM.PURGE.LEADS",
		"$JS.API.STREAM.DELETE.PORTALS", underWay.Reply(),
	} {
		// Without its body a message is an acknowledgement.
		if _, err := js.AddConsumer("LEADS", &nats.ConsumerConfig{
			Durable: "push" + strconv.Itoa(i), DeliverSubject: subject, HeadersOnly: i > 4, AckPolicy: nats.AckNonePolicy, DeliverPolicy: nats.DeliverAllPolicy,
		}); err == nil {
			tried++
		}
	}
	t.Logf("%d push consumers", tried)
	time.Sleep(time.Second) // there is no signal that nothing comes
	info, err := notices.Info(t.Context())
	if err != nil || info.NumAckPending != 1 {
		t.Errorf("a notice under way was acknowledged: %+v, %v", info, err)
	}
	for name, want := range map[string]uint64{"LEADS": 1, "BITRIX24_NOTICES": 1, "PORTALS": 0, "KV_LEASES": 0, "DEAD": 0} {
		s, err := own.Stream(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := s.CachedInfo().State.Msgs; n != want {
			t.Errorf("%s has %d messages, want %d", name, n, want)
		}
	}
}

// Replies to the service, notices among them, are for the service only.
func TestSubscriberDoesNotSeeServiceReplies(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback})
	own := service(t, b)
	nc, _ := subscriber(t, b)
	replies, err := nc.SubscribeSync("_INBOX.>")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Publish(t.Context(), "bitrix24.notices.m.1", []byte("a notice")); err != nil {
		t.Fatal(err)
	}
	consumer, err := own.CreateConsumer(t.Context(), "BITRIX24_NOTICES", jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if msg, err := replies.NextMsg(500 * time.Millisecond); err == nil {
		t.Errorf("received %q", msg.Data)
	}
}

// A write that is acknowledged is on disk: a power cut must not take it back. That holds
// after a restart, too, and for the configuration that operators get.
func TestEveryWriteIsSynced(t *testing.T) {
	b := start(t, broker.Config{})
	js := service(t, b)
	if _, err := js.Publish(t.Context(), "leads.m.1", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	first := b.Store()
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	again := b.Store()
	if !first.SyncAlways || !again.SyncAlways || first.StoreDir != again.StoreDir || first.MaxStore != again.MaxStore {
		t.Errorf("opened as %+v, after a restart as %+v", first, again)
	}
	untilReconnected(t, js.Conn(), 1)
	if s, err := js.Stream(t.Context(), "LEADS"); err != nil || s.CachedInfo().State.Msgs != 1 {
		t.Errorf("after a restart: %v", err)
	}
	if _, err := js.Publish(t.Context(), "leads.m.2", []byte("kept, too")); err != nil {
		t.Error(err)
	}
	if what := b.Problem(); what != "" {
		t.Errorf("problem: %s", what)
	}
	t.Setenv("NATS_TOKEN", "x")
	opts, err := server.ProcessConfigFile("../../deployments/nats/nats.conf")
	if err != nil || !opts.SyncAlways {
		t.Errorf("deployments/nats/nats.conf: syncs always %v, %v", err == nil && opts.SyncAlways, err)
	}
}

// After a restart the service and subscribers come back by themselves, on the same
// address, and find what was stored.
func TestClientsReconnectAfterARestart(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback})
	own, url := service(t, b), b.URL()
	nc, _ := subscriber(t, b, nats.ReconnectWait(10*time.Millisecond))
	changes, err := nc.SubscribeSync("leads.>")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := b.Restart(); err != nil {
			t.Fatal(err)
		}
		untilReconnected(t, own.Conn(), n+1)
		untilReconnected(t, nc, n+1)
		if err := nc.Flush(); err != nil { // the server knows the subscription
			t.Fatal(err)
		}
		if _, err := own.Publish(t.Context(), "leads.m."+strconv.Itoa(n), []byte("a change")); err != nil {
			t.Fatal(err)
		}
		if _, err := changes.NextMsg(5 * time.Second); err != nil {
			t.Errorf("the subscriber: %v", err)
		}
	}
	s, err := own.Stream(t.Context(), "LEADS")
	if err != nil || s.CachedInfo().State.Msgs != 3 || b.URL() != url {
		t.Errorf("%v, at %s, want 3 messages at %s", err, b.URL(), url)
	}
}

// A restart that fails is reported, and the next one may succeed.
func TestFailedRestartIsAProblem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	b := start(t, broker.Config{Dir: dir})
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(); err == nil || !strings.Contains(b.Problem(), "restart: ") {
		t.Errorf("restarted without a store: %v, problem %q", err, b.Problem())
	}
	if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir), b.Restart()); err != nil || b.Problem() != "" {
		t.Errorf("%v, problem %q", err, b.Problem())
	}
	service(t, b)
}

// untilReconnected waits until a connection has come back for the n-th time.
func untilReconnected(tb testing.TB, nc *nats.Conn, n int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for !nc.IsConnected() || nc.Stats().Reconnects < uint64(n) {
		if retry.Wait(ctx, 5*time.Millisecond) != nil {
			tb.Fatalf("still %s after %d of %d times: %v", nc.Status(), nc.Stats().Reconnects, n, nc.LastError())
		}
	}
}
