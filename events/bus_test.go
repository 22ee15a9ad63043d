package events_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// Three installations use one server or one cluster, two of them with a prefix: none sees,
// takes or removes anything of another, although all mirror the same portal.
func TestPrefixesDoNotMix(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		prefixesDoNotMix(t, single(t), 1)
	})
	t.Run("a cluster", func(t *testing.T) {
		t.Parallel()
		prefixesDoNotMix(t, startCluster(t)[0].ClientURL(), 3)
	})
}

func prefixesDoNotMix(t *testing.T, url string, replicas int) {
	t.Helper()
	buses := map[string]*events.Bus{"": nil, "berlin": nil, "berlin-2": nil}
	for prefix := range buses {
		buses[prefix] = open(t, url, prefix)
		setUp(t, buses[prefix], replicas)
	}
	settled := func() { // any server of a cluster may answer
		for _, bus := range buses {
			until(t, "all servers have everything", func() bool { _, current := placed(t, bus); return current || replicas == 1 })
		}
	}
	settled()
	heard := map[string]chan string{}
	for prefix, bus := range buses {
		heard[prefix] = subscribed(t, bus)
	}
	for prefix, bus := range buses {
		fill(t, bus, prefix)
	}
	settled()
	for prefix, bus := range buses {
		wantOwn(t, bus, prefix)
		if got, want := <-heard[prefix], "1 of "+prefix; got != want {
			t.Errorf("prefix %q: a subscriber hears %q, want %q", prefix, got, want)
		}
	}
	before := snapshot(t, buses[""])
	if err := events.ForgetPortal(t.Context(), buses["berlin"], member); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, buses[""])
	for key := range before {
		if of, _, message := strings.Cut(key, " "); message && strings.HasPrefix(of, "berlin_") {
			delete(before, key)
		}
	}
	before["KV_berlin_LEADSYNC_LEASES $KV.berlin_LEADSYNC_LEASES.relay"] = after["KV_berlin_LEADSYNC_LEASES $KV.berlin_LEADSYNC_LEASES.relay"]
	if diff := cmp.Diff(withoutLeases(before), withoutLeases(after)); diff != "" {
		t.Errorf("a portal was removed from one, others changed (-want +got):\n%s", diff)
	}
	for _, prefix := range []string{"", "berlin-2"} {
		wantOwn(t, buses[prefix], prefix)
	}
	for prefix, heard := range heard {
		select {
		case more := <-heard:
			t.Errorf("prefix %q: a subscriber hears %q, too", prefix, more)
		default:
		}
	}
}

// Right after a stream was made, or changed its leader, a server of a cluster may not know yet
// who answers: it is asked again. Where nobody ever answers, the caller is told so.
func TestAnswerComesALittleLater(t *testing.T) {
	nc := open(t, single(t), "").Conn()
	asked := 0
	ask := func(subject string) func(ctx context.Context) (*nats.Msg, error) {
		return func(ctx context.Context) (*nats.Msg, error) {
			if asked++; asked == 3 {
				if _, err := nc.Subscribe("later", func(msg *nats.Msg) { _ = msg.Respond([]byte("here")) }); err != nil {
					t.Error(err)
				}
			}
			return nc.RequestWithContext(ctx, subject, nil)
		}
	}
	if msg, err := events.Answered(t.Context(), ask("later")); err != nil || string(msg.Data) != "here" {
		t.Errorf("got %v, %v, want an answer", msg, err)
	}
	if _, err := events.Answered(t.Context(), ask("never")); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("nobody answers: got %v, want %v", err, nats.ErrNoResponders)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := events.Answered(ended, ask("never")); err == nil {
		t.Error("the caller has given up: no error")
	}
}

// withoutLeases leaves leases out: they expire by themselves.
func withoutLeases(all map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range all {
		if !strings.Contains(key, " $KV.") {
			kept[key] = value
		}
	}
	return kept
}

// subscribed returns what a subscriber of the topic hears: the title of each lead.
func subscribed(t *testing.T, bus *events.Bus) chan string {
	t.Helper()
	heard := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- events.Subscribe(ctx, bus, "", true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				t.Error(err)
			}
			heard <- title(c)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return heard
}

func title(c leads.Change) string { return strings.Trim(string(c.Lead), `"`) }

// fill publishes one of everything, which names the installation.
func fill(t *testing.T, bus *events.Bus, prefix string) {
	t.Helper()
	n := notice(1, "of "+prefix)
	publish(t, bus, n)
	topic, err := events.OpenTopic(t.Context(), bus)
	if err != nil {
		t.Fatal(err)
	}
	c := change(1, 1, leads.Added)
	c.Lead = []byte(fmt.Sprintf("%q", "1 of "+prefix))
	if _, err := topic.Publish(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		events.PublishDead(t.Context(), bus, events.DeadLetter{Notice: n, Reason: "of " + prefix}),
		events.PublishPortal(t.Context(), bus, events.PortalNotice{MemberID: member, Domain: "of " + prefix, Event: events.Rebind}),
		events.PublishRun(t.Context(), bus, leads.Run{MemberID: member}),
		second(events.TakeLease(t.Context(), bus, "relay", "of "+prefix)),
	} {
		if err != nil {
			t.Fatalf("prefix %q: %v", prefix, err)
		}
	}
}

// wantOwn fails the test unless a bus has what fill has published on it, and nothing else.
func wantOwn(t *testing.T, bus *events.Bus, prefix string) {
	t.Helper()
	ctx := t.Context()
	for _, name := range []string{events.StreamNotices, events.StreamPortals, events.StreamLeads, events.StreamRuns, events.StreamDead} {
		if n := messages(t, bus, name); n != 1 {
			t.Errorf("prefix %q: %d messages in %s, want 1", prefix, n, name)
		}
	}
	letters, err := events.DeadLetters(ctx, bus, "")
	if err != nil || len(letters) != 1 || letters[0].Reason != "of "+prefix || letters[0].Ref != ref(1) {
		t.Errorf("prefix %q: dead letters %v, %v", prefix, letters, err)
	}
	topic, err := events.OpenTopic(ctx, bus)
	if err != nil {
		t.Fatal(err)
	}
	var walked []string
	err = topic.Walk(ctx, member, func(changes []leads.Change) error {
		for _, c := range changes {
			walked = append(walked, title(c))
		}
		return nil
	})
	if err != nil {
		t.Errorf("prefix %q: %v", prefix, err)
	}
	if diff := cmp.Diff([]string{"1 of " + prefix}, walked); diff != "" {
		t.Errorf("prefix %q: a walk sees (-want +got):\n%s", prefix, diff)
	}
	if last, ok, err := topic.Last(ctx, ref(1)); err != nil || !ok || title(last) != "1 of "+prefix {
		t.Errorf("prefix %q: the last change is %v, %v, %v", prefix, title(last), ok, err)
	}
	if pending, err := events.Pending(ctx, bus, member); pending != 1 || err != nil {
		t.Errorf("prefix %q: %d pending, %v", prefix, pending, err)
	}
	if waits, err := events.Waiting(ctx, bus, member, []int64{1, 2}); err != nil || len(waits) != 0 && !waits[1] || waits[2] {
		t.Errorf("prefix %q: waiting %v, %v", prefix, waits, err)
	}
	if oldest, err := events.OldestPortalNotice(ctx, bus, member); err != nil || oldest.StoredAt.IsZero() {
		t.Errorf("prefix %q: the oldest notice about the portal is %v, %v", prefix, oldest, err)
	}
	got := fetch(t, bus, 1)
	n, err := events.ParseNotice(got[0])
	if err != nil || n.Event != "of "+prefix || n.Ref != ref(1) {
		t.Errorf("prefix %q: the notice is %v, %v", prefix, n, err)
	}
	events.GiveBack(got)
}

func TestPrefixesAreNames(t *testing.T) {
	for prefix, want := range map[string]bool{
		"berlin": true, "leads-2": true, "b2-test": true, "": false, "Berlin": false, "2b": false, "a.b": false, "a*": false, "a>": false, "a b": false,
		"a_b": false, "$sys": false, strings.Repeat("a", 33): false, strings.Repeat("a", 32): true, "a\n": false,
		"leads": false, "bitrix24": false, "leadsync": false, // who subscribes to leads.> would hear leads.leads.>
	} {
		if got := events.ValidPrefix(prefix); got != want {
			t.Errorf("%q: %v", prefix, got)
		}
	}
}

// A server of a cluster falls silent and ends no connection, as a machine that stands still: the
// client goes to another.
func TestSilentServerIsLeft(t *testing.T) {
	t.Parallel()
	silent, healthy := silentServer(t), single(t)
	nc, err := events.Connect(events.Server{URL: silent + "," + healthy}, nats.DontRandomize())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if nc.ConnectedUrl() != silent {
		t.Fatalf("connected to %s at first", nc.ConnectedUrl())
	}
	within(t, 2*time.Minute, "the client leaves the silent server", func() bool { return nc.ConnectedUrl() == healthy })
}

// silentServer greets a client, answers its first PING, and then nothing any more.
func silentServer(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, `INFO {"server_id":"x","version":"2.12.0","max_payload":1048576,"headers":true}`+"\r\n")
				lines := bufio.NewScanner(conn)
				for answered := false; lines.Scan(); {
					if !answered && strings.HasPrefix(lines.Text(), "PING") {
						answered = true
						_, _ = io.WriteString(conn, "PONG\r\n")
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); group.Wait() })
	return "nats://" + listener.Addr().String()
}

// A cluster that is choosing a leader loses requests: what asks for a stream or a lease gives up
// long before its caller does, and may ask again.
func TestLostRequestsAreGivenUpSoon(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answers bool // about streams; nothing else is ever answered
		do      func(context.Context, *events.Bus) error
	}{
		{"set up", false, func(ctx context.Context, bus *events.Bus) error { return events.Setup(ctx, bus, 3) }},
		{"look", false, events.Look},
		{"a stream", false, func(ctx context.Context, bus *events.Bus) error { return second(bus.Stream(ctx, events.StreamLeads)) }},
		{"changed streams", true, func(ctx context.Context, bus *events.Bus) error { return events.Setup(ctx, bus, 3) }},
		{"a lease", true, func(ctx context.Context, bus *events.Bus) error {
			if err := events.Look(ctx, bus); err != nil {
				t.Error(err)
			}
			return second(events.TakeLease(ctx, bus, "relay", "one"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bus := open(t, muteServer(t, test.answers), "")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := test.do(ctx, bus); !events.Unavailable(err) || ctx.Err() != nil {
				t.Errorf("%v; the caller's context: %v", err, ctx.Err())
			}
		})
	}
}

// muteServer takes all requests of JetStream, and answers none or those about streams only.
func muteServer(t *testing.T, answers bool) (url string) {
	t.Helper()
	ns := eventstest.Run(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})[0]
	nc := open(t, ns.ClientURL(), "").Conn()
	for _, subject := range []string{"$JS.>", "$KV.>"} {
		if _, err := nc.Subscribe(subject, func(msg *nats.Msg) {
			name, about := strings.CutPrefix(msg.Subject, "$JS.API.STREAM.INFO.")
			if answers && about {
				_ = msg.Respond(fmt.Appendf(nil, `{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{"name":%q,"max_msgs_per_subject":1,"metadata":{"made-by":"leadsync"}}}`, name))
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return ns.ClientURL()
}
