package events_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
)

// cluster is three NATS servers in this process.
type cluster []*server.Server

func startCluster(tb testing.TB) cluster {
	tb.Helper()
	return eventstest.Run(tb, eventstest.Several(tb, 3, func() *server.Options { return eventstest.Options(tb) })...)
}

// bus is connected to the first server alone.
func (c cluster) bus(tb testing.TB) *events.Bus {
	tb.Helper()
	return open(tb, c[0].ClientURL(), "")
}

// single is one server without any stream.
func single(tb testing.TB) string {
	tb.Helper()
	return eventstest.Run(tb, eventstest.Options(tb))[0].ClientURL()
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

// setUp sets the streams up.
func setUp(tb testing.TB, bus *events.Bus, replicas int) {
	tb.Helper()
	eventstest.Insist(tb, func(ctx context.Context) error { return events.Setup(ctx, bus, replicas) })
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
