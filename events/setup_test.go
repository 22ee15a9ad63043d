package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

// snapshot is all there is on a server, as JSON: the streams with their configuration and their
// messages.
func snapshot(tb testing.TB, bus *events.Bus) map[string]string {
	tb.Helper()
	all := map[string]string{}
	list := bus.JetStream().ListStreams(tb.Context())
	for info := range list.Info() {
		all[info.Config.Name] = encoded(tb, info.Config)
		s, err := bus.JetStream().Stream(tb.Context(), info.Config.Name)
		if err != nil {
			tb.Fatal(err)
		}
		for seq := info.State.FirstSeq; seq <= info.State.LastSeq && seq > 0; seq++ {
			msg, err := s.GetMsg(tb.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue // replaced, or a lease that has expired
			}
			if err != nil {
				tb.Fatal(err)
			}
			all[info.Config.Name+" "+msg.Subject] = encoded(tb, msg)
		}
	}
	if err := list.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func encoded(tb testing.TB, v any) string {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// stranger is a stream that leadsync did not make.
type stranger struct {
	name    string
	theirs  jetstream.StreamConfig
	needed  string
	message string // subject of a message in it
	cluster bool   // seen on a cluster, too
}

// A stream that leadsync did not make, with a name or subjects that it needs: leadsync names it,
// leaves it as it is, byte for byte, and publishes nothing until it is gone.
func TestStreamsOfStrangersAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []stranger{
		{"the name alone", jetstream.StreamConfig{Name: "LEADS", Subjects: []string{"shop.leads.*"}}, "LEADS", "shop.leads.1", true},
		{"the name, with our subjects", jetstream.StreamConfig{Name: "BITRIX24_NOTICES", Subjects: []string{"bitrix24.notices.*.*"}}, "BITRIX24_NOTICES", "bitrix24.notices.x.1", false},
		{"the name, with another mark", jetstream.StreamConfig{Name: "LEADS", Subjects: []string{"shop.leads.*"}, Metadata: map[string]string{"made-by": "shop"}}, "LEADS", "shop.leads.1", false},
		{"our topic", jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"leads.>"}}, "LEADS", "leads.orders", true},
		{"one of many subjects", jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"shop.>", "leadsync.dead.>"}}, "LEADSYNC_DEAD", "shop.1", false},
		{"notices", jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"bitrix24.>"}}, "BITRIX24_NOTICES", "bitrix24.orders", true},
		{"everything", jetstream.StreamConfig{Name: "AUDIT", Subjects: []string{">"}, NoAck: true}, "BITRIX24_NOTICES", "shop.1", false},
		{"the bucket's name", jetstream.StreamConfig{Name: "KV_LEADSYNC_LEASES", Subjects: []string{"shop.leases.*"}}, "KV_LEADSYNC_LEASES", "shop.leases.1", false},
		{"a bucket of the same name", jetstream.StreamConfig{Name: "KV_LEADSYNC_LEASES", Subjects: []string{"$KV.LEADSYNC_LEASES.>"}}, "KV_LEADSYNC_LEASES", "$KV.LEADSYNC_LEASES.x", true},
		{"all buckets", jetstream.StreamConfig{Name: "BUCKETS", Subjects: []string{"$KV.>"}}, "KV_LEADSYNC_LEASES", "$KV.SHOP.x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			strangerIsLeftAlone(t, single(t), 1, test)
		})
		if test.cluster {
			t.Run(test.name+", on a cluster", func(t *testing.T) {
				t.Parallel()
				strangerIsLeftAlone(t, startCluster(t)[0].ClientURL(), 3, test)
			})
		}
	}
}

func strangerIsLeftAlone(t *testing.T, url string, replicas int, test stranger) {
	t.Helper()
	theirs, bus := open(t, url, "").JetStream(), open(t, url, "")
	eventstest.Insist(t, func(ctx context.Context) error { _, err := theirs.CreateStream(ctx, test.theirs); return err })
	eventstest.Insist(t, func(ctx context.Context) error {
		if test.theirs.NoAck {
			return theirs.Conn().Publish(test.message, []byte("theirs"))
		}
		_, err := theirs.Publish(ctx, test.message, []byte("theirs"))
		return err
	})
	until(t, "their message is in it", func() bool { return len(ofStream(t, bus, test.theirs)) == 2 })
	before := ofStream(t, bus, test.theirs)
	var foreign *events.ForeignError
	for range 2 { // what the first try has made must not make the second another one
		eventstest.Insist(t, func(ctx context.Context) error {
			err := events.Setup(ctx, bus, replicas)
			if events.Unavailable(err) {
				return err
			}
			if !errors.As(err, &foreign) || foreign.Stream != test.theirs.Name || foreign.Needed != test.needed {
				t.Fatalf("set up: %v", err)
			}
			return nil
		})
	}
	if diff := cmp.Diff(test.theirs.Subjects, foreign.Subjects); diff != "" || !strings.Contains(foreign.Error(), test.theirs.Name) {
		t.Errorf("%s: subjects (-want +got):\n%s", foreign, diff)
	}
	if problem := bus.Problem(); problem == nil || problem.Error() != foreign.Error() {
		t.Errorf("the problem is %v", problem)
	}
	wantNothingTaken(t, bus)
	if diff := cmp.Diff(before, ofStream(t, bus, test.theirs)); diff != "" {
		t.Errorf("their stream was changed (-before +after):\n%s", diff)
	}
	eventstest.Insist(t, func(ctx context.Context) error { return theirs.DeleteStream(ctx, test.theirs.Name) })
	// The server may still be clearing its files away, as the service's next try finds out.
	until(t, "the streams are set up after it was removed", func() bool { return events.Setup(t.Context(), bus, replicas) == nil })
	if problem := bus.Problem(); problem != nil {
		t.Fatalf("after it was removed: problem %v", problem)
	}
	eventstest.Insist(t, func(ctx context.Context) error { return events.PublishNotice(ctx, bus, notice(1, "ONCRMLEADADD")) })
}

// ofStream is what there is of a stranger's stream. In one that takes everything, also what we
// ask the server, only its own message counts.
func ofStream(tb testing.TB, bus *events.Bus, theirs jetstream.StreamConfig) map[string]string {
	tb.Helper()
	if theirs.NoAck {
		s, err := bus.JetStream().Stream(tb.Context(), theirs.Name)
		if err != nil {
			tb.Fatal(err)
		}
		one := map[string]string{theirs.Name: encoded(tb, s.CachedInfo().Config)}
		if msg, err := s.GetLastMsgForSubject(tb.Context(), "shop.1"); err == nil {
			one["message"] = encoded(tb, msg)
		}
		return one
	}
	one := map[string]string{}
	for key, value := range snapshot(tb, bus) {
		if key == theirs.Name || strings.HasPrefix(key, theirs.Name+" ") {
			one[key] = value
		}
	}
	return one
}

// wantNothingTaken does everything that changes streams: all of it must fail.
func wantNothingTaken(t *testing.T, bus *events.Bus) {
	t.Helper()
	ctx := t.Context()
	entry, err := events.NoticeEntry(notice(1, "ONCRMLEADADD"))
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"a notice":          events.PublishNotice(ctx, bus, notice(1, "ONCRMLEADADD")),
		"an entry":          events.PublishEntry(ctx, bus, entry),
		"a portal's notice": events.PublishPortal(ctx, bus, events.PortalNotice{MemberID: member, Event: events.Rebind}),
		"a run":             events.PublishRun(ctx, bus, leads.Run{MemberID: member}),
		"a dead letter":     events.PublishDead(ctx, bus, events.DeadLetter{Notice: notice(1, "ONCRMLEADADD")}),
		"a topic":           second(events.OpenTopic(ctx, bus)),
		"a lease":           second(events.TakeLease(ctx, bus, "relay", "one")),
		"a consumer":        second(events.Notices(ctx, bus, member)),
		"an erasure":        events.ForgetPortal(ctx, bus, member),
		"a removal":         events.RemovePortal(ctx, bus, member),
		"no consumers":      events.RemoveConsumers(ctx, bus, member),
		"a dropped letter":  events.DropDead(ctx, bus, ref(1)),
	} {
		if err == nil {
			t.Errorf("%s was done", what)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Nobody has looked yet whose the streams are: nothing is published, not even where a stream
// with our subjects would say yes.
func TestNothingIsPublishedUnchecked(t *testing.T) {
	url := single(t)
	if _, err := open(t, url, "").JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"bitrix24.>", "leads.>", "leadsync.>"}}); err != nil {
		t.Fatal(err)
	}
	bus := open(t, url, "")
	before := snapshot(t, bus)
	wantNothingTaken(t, bus)
	if diff := cmp.Diff(before, snapshot(t, bus)); diff != "" {
		t.Errorf("it has taken something (-before +after):\n%s", diff)
	}
}

// Our stream is removed and a stranger's takes its subjects while the service works: it does not
// confirm what is published.
func TestStreamThatIsReplacedTakesNothing(t *testing.T) {
	t.Parallel()
	url := single(t)
	bus := open(t, url, "")
	setUp(t, bus, 1)
	topic, err := events.OpenTopic(t.Context(), bus)
	if err != nil {
		t.Fatal(err)
	}
	js := open(t, url, "").JetStream()
	for _, name := range []string{"BITRIX24_NOTICES", "LEADS", "LEADSYNC_DEAD"} {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	cfg := jetstream.StreamConfig{Name: "SHOP", Subjects: []string{"bitrix24.notices.>", "leads.>", "leadsync.dead.>"}, AllowAtomicPublish: true}
	if _, err := js.CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, bus)
	var changes []leads.Change
	for id := range int64(20) {
		changes = append(changes, change(id+1, 1, leads.Added))
	}
	for what, err := range map[string]error{
		"a notice":      events.PublishNotice(t.Context(), bus, notice(1, "ONCRMLEADADD")),
		"a dead letter": events.PublishDead(t.Context(), bus, events.DeadLetter{Notice: notice(1, "ONCRMLEADADD")}),
		"a change":      second(topic.Publish(t.Context(), changes[0])),
		"a batch":       second(topic.PublishAll(t.Context(), changes)),
	} {
		if err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, bus)); diff != "" {
		t.Errorf("it has taken something (-before +after):\n%s", diff)
	}
}

// Look changes nothing. It says what is missing, or whose stream is in the way.
func TestLookChangesNothing(t *testing.T) {
	url := single(t)
	bus := open(t, url, "")
	if err := events.Look(t.Context(), bus); !errors.Is(err, events.ErrNoStreams) || !strings.Contains(err.Error(), "is missing") || events.Unavailable(err) {
		t.Errorf("an empty server: %v", err)
	}
	if got := snapshot(t, bus); len(got) != 0 {
		t.Errorf("it has made %v", got)
	}
	setUp(t, open(t, url, ""), 1)
	before := snapshot(t, bus)
	if err := events.Look(t.Context(), bus); err != nil {
		t.Errorf("all streams are there: %v", err)
	}
	publish(t, bus, notice(1, "ONCRMLEADADD"))
	for name := range before {
		t.Run("without "+name, func(t *testing.T) {
			url := single(t)
			js := open(t, url, "").JetStream()
			setUp(t, open(t, url, ""), 1)
			if err := js.DeleteStream(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			bus := open(t, url, "")
			before := snapshot(t, bus)
			if err := events.Look(t.Context(), bus); !errors.Is(err, events.ErrNoStreams) || !strings.Contains(err.Error(), name+" is missing") {
				t.Errorf("%v", err)
			}
			wantNothingTaken(t, bus)
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{"shop.>"}}); err != nil {
				t.Fatal(err)
			}
			before[name] = snapshot(t, bus)[name]
			var foreign *events.ForeignError
			if err := events.Look(t.Context(), bus); !errors.As(err, &foreign) || foreign.Stream != name {
				t.Errorf("a stranger's: %v", err)
			}
			if diff := cmp.Diff(before, snapshot(t, bus)); diff != "" {
				t.Errorf("something was changed (-before +after):\n%s", diff)
			}
		})
	}
}

// What somebody else has set on our streams' metadata stays.
func TestSetupKeepsForeignMetadata(t *testing.T) {
	bus := open(t, single(t), "")
	setUp(t, bus, 1)
	cfg := stream(t, bus, events.StreamLeads).CachedInfo().Config
	cfg.Metadata["team"] = "sales"
	if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	setUp(t, bus, 1)
	if got := stream(t, bus, events.StreamLeads).CachedInfo().Config.Metadata["team"]; got != "sales" {
		t.Errorf("the metadata say %q", got)
	}
}

// Streams, the bucket and the consumers follow the setting; without one they stay as they are.
func TestReplicasFollowTheSetting(t *testing.T) {
	t.Parallel()
	bus := startCluster(t).bus(t)
	for _, step := range []struct{ setting, want int }{{0, 1}, {3, 3}, {0, 3}, {1, 1}, {0, 1}} {
		setUp(t, bus, step.setting)
		retried(t, func(ctx context.Context) error { return second(events.Notices(ctx, bus, member)) })
		retried(t, func(ctx context.Context) error { return second(events.Portals(ctx, bus, member)) })
		untilPlaced(t, bus, step.want, 10) // seven streams, the bucket, two consumers
		retried(t, func(ctx context.Context) error {
			return events.PublishNotice(ctx, bus, notice(int64(step.want), "ONCRMLEADADD"))
		})
	}
	if n := messages(t, bus, events.StreamNotices); n != 2 {
		t.Errorf("%d notices after all moves, want 2", n)
	}
}

// retried repeats what a cluster may refuse while it chooses leaders.
func retried(tb testing.TB, do func(context.Context) error) {
	tb.Helper()
	var err error
	until(tb, "the cluster answers", func() bool {
		ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Second)
		defer cancel()
		if err = do(ctx); err != nil && !events.Unavailable(err) {
			tb.Fatal(err)
		}
		return err == nil
	})
}

// Two of three servers are gone: whatever is tried fails in a way that passes.
func TestClusterWithoutQuorumIsUnavailable(t *testing.T) {
	t.Parallel()
	servers := startCluster(t)
	bus := servers.bus(t)
	setUp(t, bus, 3)
	untilPlaced(t, bus, 3, 8)
	topic, err := events.OpenTopic(t.Context(), bus)
	if err != nil {
		t.Fatal(err)
	}
	var changes []leads.Change
	for id := range int64(20) {
		changes = append(changes, change(id+1, 1, leads.Added))
	}
	writes := map[string]func(context.Context) error{
		"set up":     func(ctx context.Context) error { return events.Setup(ctx, bus, 3) },
		"a notice":   func(ctx context.Context) error { return events.PublishNotice(ctx, bus, notice(1, "ONCRMLEADADD")) },
		"a lease":    func(ctx context.Context) error { return second(events.TakeLease(ctx, bus, "relay", "one")) },
		"a change":   func(ctx context.Context) error { return second(topic.Publish(ctx, changes[0])) },
		"a batch":    func(ctx context.Context) error { return second(topic.PublishAll(ctx, changes)) },
		"a consumer": func(ctx context.Context) error { return second(events.Notices(ctx, bus, member)) },
		"removal":    func(ctx context.Context) error { return events.RemoveConsumers(ctx, bus, member) },
		"erasure":    func(ctx context.Context) error { return events.ForgetPortal(ctx, bus, member) },
	}
	reads := map[string]func(context.Context) error{
		"look":         func(ctx context.Context) error { return events.Look(ctx, bus) },
		"dead letters": func(ctx context.Context) error { return second(events.DeadLetters(ctx, bus, member)) },
		"pending":      func(ctx context.Context) error { return second(events.Pending(ctx, bus, member)) },
		"waiting":      func(ctx context.Context) error { return second(events.Waiting(ctx, bus, member, []int64{1})) },
		"depth":        func(ctx context.Context) error { return second(events.Depth(ctx, bus, events.StreamNotices)) },
		"oldest":       func(ctx context.Context) error { return second(events.OldestPortalNotice(ctx, bus, member)) },
		"walk": func(ctx context.Context) error {
			return topic.Walk(ctx, member, func([]leads.Change) error { return nil })
		},
	}
	for _, ns := range servers[1:] {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
	connected(t, bus.Conn())
	refused := map[string]bool{}
	try := func(name string, do func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := do(ctx)
		if err != nil && !events.Unavailable(err) {
			t.Errorf("%s: %v", name, err)
		}
		if api, ok := errors.AsType[*jetstream.APIError](err); ok {
			refused[api.Error()] = true
		}
		return err
	}
	// At first nobody answers; later the server that is left knows that it is alone, and says so.
	until(t, "the server says that it is alone", func() bool {
		return try("set up", writes["set up"]) != nil && len(refused) > 0
	})
	for name, do := range writes {
		if try(name, do) == nil {
			t.Errorf("%s was done", name)
		}
	}
	for name, do := range reads {
		_ = try(name, do) // what one server knows may be told
	}
	t.Logf("refusals: %v", slices.Sorted(maps.Keys(refused)))
}
