package events_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
)

// Three installations use one server, two of them with a prefix: none sees, takes or removes
// anything of another, although all mirror the same portal.
func TestPrefixesDoNotMix(t *testing.T) {
	url := single(t)
	buses := map[string]*events.Bus{"": nil, "berlin": nil, "berlin-2": nil}
	for prefix := range buses {
		buses[prefix] = open(t, url, prefix)
		setUp(t, buses[prefix], 1)
	}
	heard := map[string]chan string{}
	for prefix, bus := range buses {
		heard[prefix] = subscribed(t, bus)
	}
	for prefix, bus := range buses {
		fill(t, bus, prefix)
	}
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
	if err := topic.Walk(ctx, member, func(changes []leads.Change) error {
		for _, c := range changes {
			walked = append(walked, title(c))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
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
	if err != nil || len(got) != 1 || n.Event != "of "+prefix || n.Ref != ref(1) {
		t.Errorf("prefix %q: %d notices, the first %v, %v", prefix, len(got), n, err)
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
