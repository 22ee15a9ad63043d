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

// subscriber connects as another system does.
func subscriber(tb testing.TB, b *broker.Broker, opts ...nats.Option) *nats.Conn {
	tb.Helper()
	nc, err := nats.Connect(b.URL(), append(opts, nats.Token("of billing"))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

func TestEverybodyLogsIn(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback, Subscribers: []broker.Subscriber{{Name: "billing", Token: "of billing"}, {Name: "bi", Token: "of bi"}}})
	for _, test := range []struct {
		name  string
		login nats.Option
		want  error
	}{
		{"a token", nats.Token("of billing"), nil},
		{"the token as a password", nats.UserInfo("billing", "of billing"), nil},
		{"the service's", nats.Token("the service"), nil},
		{"a wrong token", nats.Token("of nobody"), nats.ErrAuthorization},
		{"another's password", nats.UserInfo("billing", "of bi"), nats.ErrAuthorization},
		{"an empty token", nats.Token(""), nats.ErrAuthorization},
		{"nothing", nats.Name("nobody"), nats.ErrAuthorization},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, err := nats.Connect(b.URL(), test.login)
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
	for _, name := range []string{"LEADSYNC", "OPERATOR", "BILLING", "BI"} {
		t.Setenv("NATS_"+name+"_PASSWORD", "x")
	}
	opts, err := server.ProcessConfigFile("../../deployments/nats/nats.conf")
	if err != nil || !opts.SyncAlways {
		t.Errorf("deployments/nats/nats.conf: syncs always %v, %v", err == nil && opts.SyncAlways, err)
	}
}

// After a restart the service and subscribers come back by themselves, on the same
// address, and find what was stored.
func TestClientsReconnectAfterARestart(t *testing.T) {
	b := start(t, broker.Config{Listen: loopback, Subscribers: []broker.Subscriber{{Name: "billing", Token: "of billing"}}})
	own, url := service(t, b), b.URL()
	nc := subscriber(t, b, nats.ReconnectWait(10*time.Millisecond))
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

func TestStreamsThatAreBeingMadeAreNoProblem(t *testing.T) {
	b := start(t, broker.Config{})
	js := service(t, b)
	made := make(chan error, 1)
	go func() {
		for i := range 100 {
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S" + strconv.Itoa(i), Subjects: []string{"s." + strconv.Itoa(i)}}); err != nil {
				made <- err
				return
			}
		}
		close(made)
	}()
	for {
		// A disk can take longer than one look: the server is restarted only for what is found several times.
		if problem := b.Problem(); problem != "" && problem == b.Problem() {
			t.Fatal(problem)
		}
		select {
		case err := <-made:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}
