package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
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

func openTopic(tb testing.TB, bus *events.Bus) *events.Topic {
	tb.Helper()
	topic, err := events.OpenTopic(tb.Context(), bus)
	if err != nil {
		tb.Fatal(err)
	}
	return topic
}

func announce(tb testing.TB, topic *events.Topic, changes ...leads.Change) {
	tb.Helper()
	for _, c := range changes {
		if _, err := topic.Publish(tb.Context(), c); err != nil {
			tb.Fatal(err)
		}
	}
}

func lastOn(tb testing.TB, bus *events.Bus, id int64) *jetstream.RawStreamMsg {
	tb.Helper()
	msg, err := stream(tb, bus, events.StreamLeads).GetLastMsgForSubject(tb.Context(), events.LeadSubject(ref(id)))
	if err != nil {
		tb.Fatal(err)
	}
	return msg
}

func TestChangeTravelsAsACloudEvent(t *testing.T) {
	bus := eventstest.Bus(t)
	c := change(1, 3, leads.Changed)
	announce(t, openTopic(t, bus), c)
	msg := lastOn(t, bus, 1)
	want := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {c.ID()}, "ce-source": {"leadsync/" + member},
		"ce-type": {"com.bitrix24.crm.lead.updated.v1"}, "ce-subject": {"1"}, "ce-time": {"2026-11-23T10:00:00Z"},
		"ce-datacontenttype": {"application/json"}, "Nats-Expected-Stream": {events.StreamLeads},
		"content-type": {"application/json"}, "Leadsync-Revision": {"3"}, "Nats-Msg-Id": {c.ID()},
		"Nats-Expected-Last-Subject-Sequence": {"0"},
	}
	for name := range msg.Header { // what the server adds when it shows a stored message
		switch name {
		case "Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp":
			delete(msg.Header, name)
		}
	}
	if diff := cmp.Diff(want, msg.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	const body = `{"member_id":"` + member + `","lead_id":1,"change":"updated","revision":3,"changed":["TITLE"],` +
		`"cause":"event","read_at":"2026-11-23T10:00:00Z","lead":{"ID":"1","TITLE":"Anna"}}`
	if diff := cmp.Diff(body, string(msg.Data)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestCloudEventTypesNameTheChange(t *testing.T) {
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	for i, kind := range []leads.ChangeKind{leads.Added, leads.Changed, leads.RemovedKind} {
		id := int64(i + 1)
		announce(t, topic, change(id, 1, kind))
		if got, want := lastOn(t, bus, id).Header.Get("ce-type"), "com.bitrix24.crm.lead."+string(kind)+".v1"; got != want {
			t.Errorf("type %s, want %s", got, want)
		}
	}
}

func TestTopicHoldsTheLastRevisionOfEachLead(t *testing.T) {
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	announce(t, topic, change(1, 1, leads.Added), change(2, 1, leads.Added), change(1, 2, leads.Changed), change(1, 5, leads.Changed))
	if n := messages(t, bus, events.StreamLeads); n != 2 {
		t.Errorf("%d messages for 2 leads", n)
	}
	seq := lastOn(t, bus, 1).Sequence
	announce(t, topic, change(1, 4, leads.Changed), change(1, 5, leads.Changed)) // a late relay, a repeated batch
	if msg := lastOn(t, bus, 1); msg.Sequence != seq || msg.Header.Get("Leadsync-Revision") != "5" {
		t.Errorf("revision %s at %d, want 5 at %d", msg.Header.Get("Leadsync-Revision"), msg.Sequence, seq)
	}
}

// Two relays that both believe to be the only one: revisions still only rise.
func TestRevisionsRiseWithConcurrentRelays(t *testing.T) {
	bus := eventstest.Bus(t)
	const revisions = 60
	ctx, stop := context.WithCancel(t.Context())
	var heard []int64
	done := make(chan error, 1)
	last := make(chan struct{})
	go func() {
		done <- events.Subscribe(ctx, bus, member, true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				t.Error(err)
			}
			heard = append(heard, c.Revision)
			if c.Revision == revisions {
				close(last)
			}
		})
	}()
	var group errgroup.Group
	for relay := range 4 {
		topic := openTopic(t, bus)
		group.Go(func() error {
			for i := range int64(revisions) {
				revision := 1 + (i+int64(relay)*15)%revisions // each in an order of its own
				if _, err := topic.Publish(t.Context(), change(1, revision, leads.Changed)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	<-last
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(heard) || len(slices.Compact(slices.Clone(heard))) != len(heard) {
		t.Errorf("a subscriber saw %v", heard)
	}
}

func TestDeletionRemovesTheHistoryAndExpires(t *testing.T) {
	bus := eventstest.Bus(t)
	announce(t, openTopic(t, bus), change(1, 1, leads.Added), change(1, 2, leads.RemovedKind))
	msg := lastOn(t, bus, 1)
	got := map[string]string{"ttl": msg.Header.Get("Nats-TTL"), "rollup": msg.Header.Get("Nats-Rollup")}
	if diff := cmp.Diff(map[string]string{"ttl": "720h0m0s", "rollup": "sub"}, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if bytes.Contains(msg.Data, []byte("Anna")) || messages(t, bus, events.StreamLeads) != 1 {
		t.Errorf("the lead's card is still there: %s", msg.Data)
	}
	announce(t, openTopic(t, bus), change(1, 3, leads.Added)) // it was restored
	if got := lastOn(t, bus, 1).Header.Get("ce-type"); got != "com.bitrix24.crm.lead.added.v1" {
		t.Errorf("after its return the topic says %s", got)
	}
}

func TestCardThatDoesNotFitIsMarkedOversize(t *testing.T) {
	bus := eventstest.Bus(t)
	c := change(1, 1, leads.Added)
	card, err := json.Marshal(map[string]string{"ID": "1", "COMMENTS": string(bytes.Repeat([]byte("x"), 8<<20))})
	if err != nil {
		t.Fatal(err)
	}
	c.Lead = card
	announce(t, openTopic(t, bus), c)
	var got leads.Change
	if err := json.Unmarshal(lastOn(t, bus, 1).Data, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Oversize || got.Lead != nil || got.Revision != 1 {
		t.Errorf("oversize %v, %d bytes of card, revision %d", got.Oversize, len(got.Lead), got.Revision)
	}
}

// A server that came back with another limit, or another server of the cluster, decides what fits.
func TestCardThatFitsNoLongerIsMarkedOversize(t *testing.T) {
	opts := eventstest.Options(t)
	first := eventstest.Run(t, opts)[0]
	bus := open(t, first.ClientURL(), "")
	setUp(t, bus, 1)
	topic := openTopic(t, bus)
	address, ok := first.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(first.Addr())
	}
	first.Shutdown()
	first.WaitForShutdown()
	opts = opts.Clone()
	opts.Port, opts.MaxPayload = address.Port, 128<<10
	eventstest.Run(t, opts)
	until(t, "the client is back", func() bool { return bus.Conn().MaxPayload() == 128<<10 })
	c := change(1, 1, leads.Added)
	c.Lead = []byte(`{"ID":"1","COMMENTS":"` + strings.Repeat("x", 200<<10) + `"}`)
	eventstest.Insist(t, func(ctx context.Context) error { _, err := topic.Publish(ctx, c); return err })
	var got leads.Change
	if err := json.Unmarshal(lastOn(t, bus, 1).Data, &got); err != nil || !got.Oversize {
		t.Errorf("oversize %v, %v", got.Oversize, err)
	}
}

func TestServersThatTakeTooLittleAreNamed(t *testing.T) {
	opts := eventstest.Options(t)
	opts.MaxPayload = 16 << 10
	bus := open(t, eventstest.Run(t, opts)[0].ClientURL(), "")
	for _, err := range []error{events.Setup(t.Context(), bus, 1), events.Look(t.Context(), bus)} {
		if err == nil || !strings.Contains(err.Error(), "max_payload") || events.Unavailable(err) {
			t.Errorf("%v, want max_payload in it", err)
		}
	}
}

func TestCardFullOfMarkupTravelsWhole(t *testing.T) {
	bus := eventstest.Bus(t)
	c := change(1, 1, leads.Added)
	c.Lead = []byte(`{"ID":"1","COMMENTS":"` + strings.Repeat("<&>", 1<<20) + `"}`)
	announce(t, openTopic(t, bus), c)
	var got leads.Change
	if err := json.Unmarshal(lastOn(t, bus, 1).Data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Oversize || !bytes.Equal(got.Lead, c.Lead) {
		t.Errorf("oversize %v, %d bytes of card, want %d", got.Oversize, len(got.Lead), len(c.Lead))
	}
}

func TestForeignMessageOnTheTopicIsReplaced(t *testing.T) {
	bus := eventstest.Bus(t)
	if _, err := bus.JetStream().Publish(t.Context(), events.LeadSubject(ref(1)), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	announce(t, openTopic(t, bus), change(1, 1, leads.Added))
	if got := lastOn(t, bus, 1).Header.Get("Leadsync-Revision"); got != "1" {
		t.Errorf("revision %q", got)
	}
}

func TestNewSubscriberGetsStateThenChanges(t *testing.T) {
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	announce(t, topic, change(1, 1, leads.Added), change(2, 1, leads.Added), change(1, 2, leads.Changed))
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	heard := make(chan leads.Change, 10)
	done := make(chan error, 1)
	go func() {
		done <- events.Subscribe(ctx, bus, "", true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				t.Error(err)
			}
			heard <- c
		})
	}()
	want := []int64{2, 1, 3} // the revisions, lead 2 first: its last message is older
	if got := []int64{(<-heard).LeadID, (<-heard).LeadID}; !slices.Equal(got, []int64{2, 1}) {
		t.Errorf("the state is of leads %v", got)
	}
	announce(t, topic, change(1, 3, leads.Changed))
	if c := <-heard; c.Revision != want[2] {
		t.Errorf("the tail brings revision %d", c.Revision)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A portal that was removed and comes back, or a topic that was emptied: the stream knows
// the ids of what it no longer has for two minutes.
func TestPurgedChangeIsPublishedAgain(t *testing.T) {
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	announce(t, topic, change(1, 1, leads.Added))
	if err := stream(t, bus, events.StreamLeads).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	announce(t, topic, change(1, 1, leads.Added))
	if n := messages(t, bus, events.StreamLeads); n != 1 {
		t.Errorf("the topic holds %d messages, want the change", n)
	}
}
