package events_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/retry"
)

// cluster is three NATS servers in this process.
type cluster []*server.Server

func startCluster(tb testing.TB) cluster {
	tb.Helper()
	ports, routes := freePorts(tb, 3), []*url.URL(nil)
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	var servers cluster
	for n, port := range ports {
		ns, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", n), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: tb.TempDir(),
			JetStreamMaxStore: 1 << 40, Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		go ns.Start()
		servers = append(servers, ns)
	}
	for _, ns := range servers {
		until(tb, "the server listens", func() bool { return ns.ReadyForConnections(time.Second) })
	}
	until(tb, "the cluster has a leader", func() bool {
		for _, ns := range servers {
			if ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(servers) {
				return true
			}
		}
		return false
	})
	return servers
}

// bus is connected to the first server alone.
func (c cluster) bus(tb testing.TB) *events.Bus {
	tb.Helper()
	return open(tb, c[0].ClientURL(), "")
}

// freePorts are ports on which nobody listens at the moment.
func freePorts(tb testing.TB, count int) []int {
	tb.Helper()
	var ports []int
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// single is one server without any stream.
func single(tb testing.TB) string {
	tb.Helper()
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: tb.TempDir(), JetStreamMaxStore: 1 << 40,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	ns.Start()
	until(tb, "the server listens", func() bool { return ns.ReadyForConnections(time.Second) })
	return ns.ClientURL()
}

// open opens a bus with a prefix, on a connection of its own.
func open(tb testing.TB, url, prefix string) *events.Bus {
	tb.Helper()
	nc, err := events.Connect(events.Server{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	bus, err := events.Open(nc, prefix)
	if err != nil {
		tb.Fatal(err)
	}
	return bus
}

// setUp sets the streams up as a service does: again, while a cluster is choosing leaders.
func setUp(tb testing.TB, bus *events.Bus, replicas int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	for {
		err := events.Setup(ctx, bus, replicas)
		if err == nil {
			return
		}
		if !events.Unavailable(err) || retry.Wait(ctx, 50*time.Millisecond) != nil {
			tb.Fatalf("set up with %d replicas: %v", replicas, err)
		}
	}
}

// placed is how many servers hold each stream and each durable consumer, and whether all of
// them are current.
func placed(tb testing.TB, bus *events.Bus) (map[string]int, bool) {
	tb.Helper()
	servers, current := map[string]int{}, true
	count := func(name string, info *jetstream.ClusterInfo) {
		if info == nil || info.Leader == "" {
			current = false
			return
		}
		servers[name] = 1 + len(info.Replicas)
		for _, peer := range info.Replicas {
			current = current && peer.Current
		}
	}
	list := bus.JetStream().ListStreams(tb.Context())
	for info := range list.Info() {
		count(info.Config.Name, info.Cluster)
		current = current && servers[info.Config.Name] == info.Config.Replicas // else servers come or go
		s, err := bus.JetStream().Stream(tb.Context(), info.Config.Name)
		if err != nil {
			return nil, false
		}
		for c := range s.ListConsumers(tb.Context()).Info() {
			count(info.Config.Name+" "+strings.TrimSuffix(c.Name, "-"+member), c.Cluster)
		}
	}
	return servers, current && list.Err() == nil
}

// untilPlaced waits until that many servers hold each of that many streams and consumers.
func untilPlaced(tb testing.TB, bus *events.Bus, on, count int) {
	tb.Helper()
	until(tb, fmt.Sprintf("%d servers hold every stream", on), func() bool {
		servers, current := placed(tb, bus)
		for _, n := range servers {
			current = current && n == on
		}
		return current && len(servers) == count
	})
}

// connected waits until the connection is up.
func connected(tb testing.TB, nc *nats.Conn) {
	tb.Helper()
	until(tb, "the connection is back", nc.IsConnected)
}
