package eventstest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/events"
	"leadsync/leads/leadstest"
	"leadsync/retry"
)

// Options are those of a NATS server of a test's own: with JetStream, on any port of this
// machine, without a log.
func Options(tb testing.TB) *server.Options {
	tb.Helper()
	return &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: tb.TempDir(), JetStreamMaxStore: 1 << 40,
	}
}

// Configured is Options with the accounts of a configuration file, which takes passwords from
// variables such as NATS_BILLING_PASSWORD: each is "password-of-" and the user.
func Configured(t *testing.T, file string) *server.Options {
	t.Helper()
	if err := setPasswords(); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.HTTPHost, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, "", 0
	opts.NoSigs, opts.NoLog, opts.StoreDir, opts.JetStreamMaxStore = true, true, t.TempDir(), 1<<40
	return opts
}

// setPasswords sets the variables until the process ends: T.Setenv would forbid tests to run side by side, and all of
// them want the same.
var setPasswords = sync.OnceValue(func() (err error) {
	for _, name := range []string{"LEADSYNC", "OPERATOR", "BILLING", "BI"} {
		err = errors.Join(err, os.Setenv("NATS_"+name+"_PASSWORD", "password-of-"+strings.ToLower(name)))
	}
	return err
})

// Several returns what make returns, count times, as the options of one cluster where they are
// more than one.
func Several(tb testing.TB, count int, make func() *server.Options) (all []*server.Options) {
	tb.Helper()
	routes := freeRoutes(tb, count)
	for n := range count {
		opts := make()
		if count > 1 {
			port, err := strconv.Atoi(routes[n].Port())
			if err != nil {
				tb.Fatal(err)
			}
			opts.ServerName, opts.Routes = fmt.Sprintf("n%d", n), routes
			opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}
		}
		all = append(all, opts)
	}
	return all
}

// Run starts a server with each of the options, and waits until a cluster has a leader. The
// servers end with the test.
func Run(tb testing.TB, all ...*server.Options) (servers []*server.Server) {
	tb.Helper()
	for _, opts := range all {
		ns, err := server.NewServer(opts)
		if err != nil {
			tb.Fatal(err)
		}
		go ns.Start()
		tb.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		servers = append(servers, ns)
	}
	for _, ns := range servers {
		Until(tb, "the server listens", func() bool { return ns.ReadyForConnections(time.Second) })
	}
	if len(all) > 1 {
		Until(tb, "the cluster has a leader", func() bool {
			return slices.ContainsFunc(servers, func(ns *server.Server) bool {
				return ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(all)
			})
		})
	}
	return servers
}

// freeRoutes are addresses on which nobody listens.
func freeRoutes(tb testing.TB, count int) (routes []*url.URL) {
	tb.Helper()
	for range count {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: leadstest.FreeAddress(tb)})
	}
	return routes
}

// Insist repeats what a cluster refuses while it chooses leaders, as a service does.
func Insist(tb testing.TB, do func(ctx context.Context) error) {
	tb.Helper()
	loop := retry.Loop{Policy: retry.Policy{First: 50 * time.Millisecond, Max: time.Second}, Final: func(err error) bool { return !events.Unavailable(err) }}
	if err := loop.Until(tb.Context(), do); err != nil {
		tb.Fatal(err)
	}
}

// Until polls until done is true.
func Until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	for !done() {
		if retry.Wait(ctx, 5*time.Millisecond) != nil {
			tb.Fatalf("still waiting: %s", what)
		}
	}
}
