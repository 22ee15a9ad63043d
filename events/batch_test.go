package events_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// batches lets LEADS take batches, or no longer: servers before 2.12 know none.
func batches(tb testing.TB, bus *events.Bus, allowed bool) {
	tb.Helper()
	cfg := stream(tb, bus, events.StreamLeads).CachedInfo().Config
	cfg.AllowAtomicPublish = allowed
	if _, err := bus.JetStream().UpdateStream(tb.Context(), cfg); err != nil {
		tb.Fatal(err)
	}
}

func announceAll(tb testing.TB, topic *events.Topic, changes ...leads.Change) []leads.OnTopic {
	tb.Helper()
	on, err := topic.PublishAll(tb.Context(), changes)
	if err != nil {
		tb.Fatal(err)
	}
	return on
}

// revision is one of each lead up to count.
func revision(count, number int64, kind leads.ChangeKind) []leads.Change {
	var changes []leads.Change
	for id := range count {
		changes = append(changes, change(id+1, number, kind))
	}
	return changes
}

// subscriber collects the revisions of each lead in the order of the topic.
type subscriber struct {
	mu       sync.Mutex
	received map[int64][]int64
}

func listen(tb testing.TB, bus *events.Bus) *subscriber {
	tb.Helper()
	h := &subscriber{received: map[int64][]int64{}}
	ctx, stop := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() {
		done <- events.Subscribe(ctx, bus, member, true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				tb.Error(err)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.received[c.LeadID] = append(h.received[c.LeadID], c.Revision)
		})
	}()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return h
}

func (h *subscriber) of(id int64) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.received[id])
}

func TestBatchesPublishLikeSingleChanges(t *testing.T) {
	for _, test := range []struct {
		name    string
		allowed bool
	}{{"in batches", true}, {"on a server that knows none", false}} {
		t.Run(test.name, func(t *testing.T) {
			bus := eventstest.Bus(t)
			batches(t, bus, test.allowed)
			h := listen(t, bus)
			large := change(7, 1, leads.Added)
			large.Lead, _ = json.Marshal(map[string]string{"ID": "7", "COMMENTS": strings.Repeat("x", 8<<20)})
			changes := revision(20, 1, leads.Added)
			changes[6] = large
			changes = append(changes, revision(20, 2, leads.Changed)...)
			changes = append(changes, change(3, 3, leads.Changed), change(3, 4, leads.Changed))
			changes = append(changes, revision(20, 5, leads.RemovedKind)...)
			var want []leads.OnTopic
			for _, c := range changes {
				want = append(want, leads.OnTopic{LeadID: c.LeadID, Revision: c.Revision, Deleted: c.Kind == leads.RemovedKind})
			}
			got := announceAll(t, openTopic(t, bus), changes...)
			for i := range got {
				got[i].Sequence = 0 // TestRefusedMessageStopsNoOther looks at it
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			for id := range int64(20) {
				until(t, "the deletion is received", func() bool { got := h.of(id + 1); return len(got) > 0 && got[len(got)-1] == 5 })
				if got := h.of(id + 1); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("of lead %d a subscriber received %v", id+1, got)
				}
			}
			tombstone := lastOn(t, bus, 9)
			head := []string{
				tombstone.Header.Get("Nats-TTL"), tombstone.Header.Get("Nats-Rollup"), tombstone.Header.Get("Nats-Msg-Id"),
				tombstone.Header.Get("ce-type"),
			}
			if diff := cmp.Diff([]string{"720h0m0s", "sub", changes[len(changes)-12].ID(), "com.bitrix24.crm.lead.deleted.v1"}, head); diff != "" {
				t.Errorf("headers of a deletion (-want +got):\n%s", diff)
			}
			if n := messages(t, bus, events.StreamLeads); n != 20 {
				t.Errorf("%d messages for 20 leads", n)
			}
		})
	}
}

// cost is what it took the server to publish something.
type cost struct{ LookUps, Messages, Questions int }

func costOf(tb testing.TB, bus *events.Bus, publish func()) (c cost) {
	tb.Helper()
	sub, err := bus.Conn().SubscribeSync(">")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	publish()
	if err := bus.Conn().Publish("end", nil); err != nil {
		tb.Fatal(err)
	}
	for {
		msg, err := sub.NextMsg(30 * time.Second)
		if err != nil {
			tb.Fatal(err)
		}
		switch {
		case msg.Subject == "end":
			return c
		case strings.HasPrefix(msg.Subject, "$JS.API.DIRECT.GET.LEADS."):
			c.LookUps++
		case strings.HasPrefix(msg.Subject, "leads."):
			if c.Messages++; msg.Reply != "" {
				c.Questions++
			}
		}
	}
}

// What makes it quick: one question for all, and no look-up of leads that are new. Where
// the server takes no batches they are not tried.
func TestBatchNeedsOneRequest(t *testing.T) {
	for _, test := range []struct {
		name       string
		allowed    bool
		new, known cost
	}{
		{"in batches", true, cost{0, 100, 1}, cost{100, 100, 1}},
		{"on a server that knows none", false, cost{0, 100, 100}, cost{100, 100, 100}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bus := eventstest.Bus(t)
			batches(t, bus, test.allowed)
			topic := openTopic(t, bus)
			for i, want := range []cost{test.new, test.known} {
				got := costOf(t, bus, func() { announceAll(t, topic, revision(100, int64(i+1), leads.Changed)...) })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("for revision %d of 100 leads (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

func TestLargeCardsTravelInSmallerBatches(t *testing.T) {
	bus := eventstest.Bus(t)
	for _, test := range []struct {
		name string
		from int64
		size int
		want cost
	}{
		{"so many that each batch has ten", 1, 26 << 10, cost{0, 40, 4}},
		{"too large for any batch", 101, 1 << 20, cost{0, 40, 40}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changes := revision(40, 1, leads.Added)
			for i := range changes {
				changes[i].LeadID += test.from
				changes[i].Lead = json.RawMessage(`{"ID":"1","COMMENTS":"` + strings.Repeat("x", test.size) + `"}`)
			}
			got := costOf(t, bus, func() { announceAll(t, openTopic(t, bus), changes...) })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A batch that nobody answers for in time is not sent again and again: its changes go one
// by one.
func TestSlowBatchIsPublishedOneByOne(t *testing.T) {
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	topic.LimitBatches(time.Nanosecond)
	got := costOf(t, bus, func() { announceAll(t, topic, revision(100, 1, leads.Added)...) })
	if got.LookUps < 100 || got.Questions < 100 {
		t.Errorf("cost %+v, want each looked up and published alone", got)
	}
}

func TestRefusedMessageStopsNoOther(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, bus *events.Bus, topic *events.Topic)
		want    leads.OnTopic // of lead 15
	}{
		{"the topic is ahead", func(t *testing.T, _ *events.Bus, topic *events.Topic) {
			t.Helper()
			announce(t, topic, change(15, 7, leads.Changed))
		}, leads.OnTopic{LeadID: 15, Revision: 7}},
		{"it was published before", func(t *testing.T, _ *events.Bus, topic *events.Topic) {
			t.Helper()
			announce(t, topic, change(15, 1, leads.Added))
		}, leads.OnTopic{LeadID: 15, Revision: 1}},
		{"another card has its revision", func(t *testing.T, _ *events.Bus, topic *events.Topic) {
			t.Helper()
			c := change(15, 1, leads.Added)
			c.Lead = json.RawMessage(`{"ID":"15","TITLE":"Boris"}`)
			announce(t, topic, c)
		}, leads.OnTopic{LeadID: 15, Revision: 1, Distinct: true}},
		{"what is there is not ours", func(t *testing.T, bus *events.Bus, _ *events.Topic) {
			t.Helper()
			if _, err := bus.JetStream().Publish(t.Context(), events.LeadSubject(ref(15)), []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}, leads.OnTopic{LeadID: 15, Revision: 1}},
		{"the topic was emptied and remembers its id", func(t *testing.T, bus *events.Bus, topic *events.Topic) {
			t.Helper()
			announce(t, topic, change(15, 1, leads.Added))
			if err := stream(t, bus, events.StreamLeads).Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, leads.OnTopic{LeadID: 15, Revision: 1}},
		{"the server takes no batches any more", func(t *testing.T, bus *events.Bus, _ *events.Topic) {
			t.Helper()
			batches(t, bus, false)
		}, leads.OnTopic{LeadID: 15, Revision: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bus := eventstest.Bus(t)
			topic := openTopic(t, bus)
			test.prepare(t, bus, topic)
			on := announceAll(t, topic, revision(30, 1, leads.Added)...)
			test.want.Sequence = on[14].Sequence
			if diff := cmp.Diff(test.want, on[14]); diff != "" {
				t.Errorf("what the topic has of lead 15 (-want +got):\n%s", diff)
			}
			for id := range int64(30) {
				if got, want := on[id].Sequence, lastOn(t, bus, id+1).Sequence; got != want {
					t.Errorf("lead %d is said to be at sequence %d, want %d", id+1, got, want)
				}
				if got := on[id].Revision; id != 14 && got != 1 {
					t.Errorf("lead %d is said to be at %d", id+1, got)
				}
				if got := lastOn(t, bus, id+1).Header.Get("Leadsync-Revision"); id != 14 && got != "1" {
					t.Errorf("lead %d is at %s", id+1, got)
				}
			}
		})
	}
}

// A batch of a former relay that comes late is refused, though its ids are forgotten.
func TestLateBatchOfAFormerRelayIsRefused(t *testing.T) {
	bus := eventstest.Bus(t)
	announceAll(t, openTopic(t, bus), revision(20, 2, leads.Changed)...)
	seq := stream(t, bus, events.StreamLeads).CachedInfo().State.LastSeq
	on := announceAll(t, openTopic(t, bus), revision(20, 1, leads.Added)...)
	if got := stream(t, bus, events.StreamLeads).CachedInfo().State.LastSeq; got != seq || on[0].Revision != 2 {
		t.Errorf("the topic went from %d to %d, lead 1 at %d", seq, got, on[0].Revision)
	}
}

// Several relays that each believe to be the only one, with batches of the same leads.
func TestRevisionsRiseWithConcurrentBatches(t *testing.T) {
	const relays, count, revisions = 4, 12, 12
	bus := eventstest.Bus(t)
	h := listen(t, bus)
	var group errgroup.Group
	for relay := range int64(relays) {
		topic := openTopic(t, bus)
		group.Go(func() error {
			for i := range int64(revisions) {
				number := 1 + (i+relay*3)%revisions // each in an order of its own
				if _, err := topic.PublishAll(t.Context(), revision(count, number, leads.Changed)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for id := range int64(count) {
		until(t, "the last is received", func() bool { return slices.Contains(h.of(id+1), revisions) })
		if got := h.of(id + 1); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("of lead %d a subscriber received %v", id+1, got)
		}
	}
}

// A server that knows no batches takes the messages of one singly, and its answer to the
// last says nothing of the others.
func TestAnswerMustNameTheBatch(t *testing.T) {
	bus := eventstest.Bus(t)
	cfg := stream(t, bus, events.StreamLeads).CachedInfo().Config
	topic := openTopic(t, bus)
	cfg.Subjects = []string{"elsewhere"}
	if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	single := map[string]bool{}
	sub, err := bus.Conn().Subscribe("leads.*.*", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if msg.Header.Get("Nats-Batch-Id") == "" {
			single[msg.Subject] = true
		}
		if msg.Reply != "" {
			_ = msg.Respond([]byte(`{"stream":"LEADS","seq":1}`))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	announceAll(t, topic, revision(10, 1, leads.Added)...)
	mu.Lock()
	defer mu.Unlock()
	if len(single) != 10 {
		t.Errorf("confirmed one by one: %v", slices.Collect(maps.Keys(single)))
	}
}

// The server goes away in the middle of many batches: what was answered for is there when
// it is back, and trying again publishes the rest.
func TestServerStopsDuringBatches(t *testing.T) {
	dir := t.TempDir()
	server, bus := eventstest.Start(t, dir)
	topic := openTopic(t, bus)
	const count, revisions = 100, 40
	var answered atomic.Int64
	done := make(chan error, 1)
	go func() {
		for number := int64(1); number <= revisions; number++ {
			if _, err := topic.PublishAll(t.Context(), revision(count, number, leads.Changed)); err != nil {
				done <- err
				return
			}
			answered.Store(number)
		}
		done <- nil
	}()
	until(t, "some are published", func() bool { return answered.Load() >= 3 })
	server.Close()
	bus.Conn().Close()
	if err := <-done; err == nil && answered.Load() < revisions {
		t.Error("no word of what was not published")
	}
	_, bus = eventstest.Start(t, dir)
	h := listen(t, bus)
	for id := range int64(count) {
		until(t, "all is received that was answered for", func() bool { got := h.of(id + 1); return len(got) > 0 && got[0] >= answered.Load() })
	}
	topic = openTopic(t, bus)
	for number := answered.Load(); number <= revisions; number++ { // the last again: its row was not deleted
		announceAll(t, topic, revision(count, number, leads.Changed)...)
	}
	for id := range int64(count) {
		until(t, "the last is received", func() bool { return slices.Contains(h.of(id+1), revisions) })
		if got := h.of(id + 1); !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("of lead %d a subscriber received %v", id+1, got)
		}
	}
}
