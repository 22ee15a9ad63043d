package eventstest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/retry"
)

// Configured starts servers with a configuration file that takes passwords from variables such as
// NATS_BILLING_PASSWORD: each is "password-of-" and the user. Several servers are a cluster.
func Configured(t *testing.T, file string, count int) (servers []*server.Server) {
	t.Helper()
	for _, name := range []string{"LEADSYNC", "OPERATOR", "BILLING", "BI"} {
		t.Setenv("NATS_"+name+"_PASSWORD", "password-of-"+strings.ToLower(name))
	}
	routes := freeRoutes(t, count)
	for n := range count {
		opts, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		opts.Port, opts.HTTPPort, opts.StoreDir, opts.NoSigs, opts.NoLog = server.RANDOM_PORT, 0, t.TempDir(), true, true
		opts.Host, opts.HTTPHost = "127.0.0.1", ""
		if count > 1 {
			opts.ServerName, opts.Routes, opts.JetStreamMaxStore = fmt.Sprintf("n%d", n), routes, 1<<40
			port, err := strconv.Atoi(routes[n].Port())
			if err != nil {
				t.Fatal(err)
			}
			opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}
		}
		ns, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		go ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		servers = append(servers, ns)
	}
	for _, ns := range servers {
		until(t, "the server listens", func() bool { return ns.ReadyForConnections(time.Second) })
	}
	if count > 1 {
		until(t, "the cluster has a leader", func() bool {
			return slices.ContainsFunc(servers, func(ns *server.Server) bool {
				return ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == count
			})
		})
	}
	return servers
}

// freeRoutes are addresses on which nobody listens at the moment.
func freeRoutes(t *testing.T, count int) (routes []*url.URL) {
	t.Helper()
	for range count {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // at the end, so that each gets another port
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
	}
	return routes
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !done() {
		if retry.Wait(ctx, 10*time.Millisecond) != nil {
			t.Fatalf("still waiting: %s", what)
		}
	}
}
