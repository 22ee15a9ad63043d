package events_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

func notice(id int64, event string) events.Notice {
	return events.Notice{
		Ref: ref(id), Event: event, Cause: leads.CauseEvent, SentAt: 1766047124,
		ReceivedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	}
}

func publish(tb testing.TB, bus *events.Bus, notices ...events.Notice) {
	tb.Helper()
	for _, n := range notices {
		if err := events.PublishNotice(tb.Context(), bus, n); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestSubjectsAreTheContract(t *testing.T) {
	got := []string{
		events.NoticeSubject(ref(7)), events.PortalSubject(member, events.Rebind), events.LeadSubject(ref(7)),
		events.RunSubject(member), events.DeadSubject(ref(7)),
	}
	want := []string{
		"bitrix24.notices." + member + ".7", "bitrix24.portals." + member + ".rebind", "leads." + member + ".7",
		"leadsync.runs." + member, "leadsync.dead." + member + ".7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

func TestStreamsHaveTheirPolicies(t *testing.T) {
	bus := eventstest.Bus(t)
	type policy struct {
		Retention jetstream.RetentionPolicy
		Discard   jetstream.DiscardPolicy
		PerLead   int64
		Storage   jetstream.StorageType
		Rollup    bool
		TTL       bool
		MaxAge    time.Duration
	}
	want := map[string]policy{
		events.StreamNotices: {Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, PerLead: 1},
		events.StreamPortals: {Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, PerLead: 1},
		events.StreamLeads:   {PerLead: 1, Rollup: true, TTL: true},
		events.StreamRuns:    {PerLead: -1, MaxAge: 90 * 24 * time.Hour},
		events.StreamDead:    {PerLead: 1},
	}
	got := map[string]policy{}
	for name := range want {
		c := stream(t, bus, name).CachedInfo().Config
		got[name] = policy{c.Retention, c.Discard, c.MaxMsgsPerSubject, c.Storage, c.AllowRollup, c.AllowMsgTTL, c.MaxAge}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
}

func TestSetupMayBeRepeated(t *testing.T) {
	bus := eventstest.Bus(t)
	publish(t, bus, notice(1, "ONCRMLEADADD"))
	if err := events.Setup(t.Context(), bus, 1); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, bus, events.StreamNotices); n != 1 {
		t.Errorf("%d notices after a second set-up, want 1", n)
	}
}

func TestNewerNoticeReplacesAWaitingOne(t *testing.T) {
	bus := eventstest.Bus(t)
	publish(t, bus, notice(1, "ONCRMLEADADD"), notice(2, "ONCRMLEADADD"), notice(1, "ONCRMLEADUPDATE"))
	if n := messages(t, bus, events.StreamNotices); n != 2 {
		t.Fatalf("%d notices wait, want 2", n)
	}
	got := map[int64]string{}
	for _, msg := range fetch(t, bus, 2) {
		n, err := events.ParseNotice(msg)
		if err != nil {
			t.Fatal(err)
		}
		got[n.Ref.LeadID] = n.Event
	}
	if diff := cmp.Diff(map[int64]string{1: "ONCRMLEADUPDATE", 2: "ONCRMLEADADD"}, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

// A read that is under way answers the older notice only: the newer one comes again,
// whatever is acknowledged.
func TestNoticeDuringAReadIsDeliveredAfterIt(t *testing.T) {
	bus := eventstest.Bus(t)
	publish(t, bus, notice(1, "ONCRMLEADADD"))
	first := fetch(t, bus, 1)[0]
	publish(t, bus, notice(1, "ONCRMLEADUPDATE"))
	if err := first.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := events.ParseNotice(fetch(t, bus, 1)[0])
	if err != nil || n.Event != "ONCRMLEADUPDATE" {
		t.Fatalf("after the read comes %q, %v", n.Event, err)
	}
}

func TestFullStreamRefusesAndStillReplaces(t *testing.T) {
	bus := eventstest.Bus(t)
	cfg := stream(t, bus, events.StreamNotices).CachedInfo().Config
	cfg.MaxBytes = 2000
	if _, err := bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for err := error(nil); err == nil; {
		last++
		if last > 100 {
			t.Fatal("the stream never refuses")
		}
		err = events.PublishNotice(t.Context(), bus, notice(last, "ONCRMLEADADD"))
	}
	held := messages(t, bus, events.StreamNotices)
	if held != uint64(last-1) {
		t.Errorf("%d notices are held, %d were taken: some were dropped", held, last-1)
	}
	publish(t, bus, notice(1, "ONCRMLEADADD"))
}

func TestConsumersArePerPortal(t *testing.T) {
	bus := eventstest.Bus(t)
	ill := notice(1, "ONCRMLEADADD")
	ill.Ref.MemberID = "other"
	publish(t, bus, ill, notice(2, "ONCRMLEADADD"))
	if got := fetch(t, bus, 1)[0]; got.Subject() != events.NoticeSubject(ref(2)) {
		t.Fatalf("a notice at %s, want this portal's alone", got.Subject())
	}
	if n, err := events.Pending(t.Context(), bus, member); n != 1 || err != nil {
		t.Errorf("%d pending, %v; a notice under way is one", n, err)
	}
	if n, err := events.Pending(t.Context(), bus, "other"); n != 1 || err != nil {
		t.Errorf("%d pending, %v; without a consumer whatever is there is", n, err)
	}
	if err := events.RemovePortal(t.Context(), bus, "other"); err != nil {
		t.Fatal(err)
	}
	if n, err := events.Pending(t.Context(), bus, "other"); n != 0 || err != nil {
		t.Errorf("%d pending of a portal that was removed, %v", n, err)
	}
}

// A server that has just made a consumer knows it without its messages. One with another
// filter stands for that here: it never learns of them.
func TestAConsumerWithoutMessagesIsNotBelieved(t *testing.T) {
	bus := eventstest.Bus(t)
	publish(t, bus, notice(1, "ONCRMLEADADD"))
	if _, err := bus.JetStream().CreateConsumer(t.Context(), events.StreamNotices, jetstream.ConsumerConfig{
		Durable: "notices-" + member, FilterSubject: "bitrix24.notices.other.*", AckPolicy: jetstream.AckExplicitPolicy,
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := events.Pending(t.Context(), bus, member); n != 1 || err != nil {
		t.Errorf("%d pending, %v, want 1", n, err)
	}
	if waits, err := events.Waiting(t.Context(), bus, member, []int64{1, 2}); !waits[1] || waits[2] || err != nil {
		t.Errorf("these wait: %v, %v, want lead 1", waits, err)
	}
}

// A consumer that somebody has paused, or told to leave notices out, works again when it is next asked for.
func TestConsumersThatPeopleChangedWorkAgain(t *testing.T) {
	bus := eventstest.Bus(t)
	for name, change := range map[string]func(js jetstream.JetStream) error{
		"paused": func(js jetstream.JetStream) error {
			_, err := js.PauseConsumer(t.Context(), events.StreamNotices, "notices-"+member, time.Now().Add(time.Hour))
			return err
		},
		"for another subject": func(js jetstream.JetStream) error {
			_, err := js.UpdateConsumer(t.Context(), events.StreamNotices, jetstream.ConsumerConfig{
				Durable: "notices-" + member, FilterSubject: "bitrix24.notices.x.*", AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: 1,
			})
			return err
		},
		"gone": func(js jetstream.JetStream) error {
			return js.DeleteConsumer(t.Context(), events.StreamNotices, "notices-"+member)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := events.Notices(t.Context(), bus, member); err != nil {
				t.Fatal(err)
			}
			if err := change(bus.JetStream()); err != nil {
				t.Fatal(err)
			}
			if err := events.PublishNotice(t.Context(), bus, events.Notice{Ref: ref(1)}); err != nil {
				t.Fatal(err)
			}
			consumer, err := events.Notices(t.Context(), bus, member)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := consumer.Next(jetstream.FetchMaxWait(10 * time.Second))
			if err != nil {
				t.Fatalf("no notice comes: %v", err)
			}
			if err := msg.DoubleAck(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Somebody looks at notices with a consumer of his own: on a work queue ours is refused for that.
func TestConsumersInTheWayAreNamed(t *testing.T) {
	bus := eventstest.Bus(t)
	if _, err := bus.JetStream().CreateConsumer(t.Context(), events.StreamNotices, jetstream.ConsumerConfig{Durable: "spy", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	if _, err := events.Notices(t.Context(), bus, member); err == nil || !strings.Contains(err.Error(), "remove spy (") {
		t.Errorf("%v, want the consumer's name in it", err)
	}
	if err := bus.JetStream().DeleteConsumer(t.Context(), events.StreamNotices, "spy"); err != nil {
		t.Fatal(err)
	}
	if _, err := events.Notices(t.Context(), bus, member); err != nil {
		t.Errorf("without it: %v", err)
	}
}

func TestKeepWorkingPreventsRedelivery(t *testing.T) {
	t.Parallel()
	bus := eventstest.Bus(t)
	publish(t, bus, notice(1, "ONCRMLEADADD"))
	msgs := fetch(t, bus, 1)
	stop := events.KeepWorking(msgs)
	consumer := notices(t, bus)
	// Twice AckWait: without the in-progress acks it would have come again.
	if again, err := consumer.Fetch(1, jetstream.FetchMaxWait(10*time.Second)); err != nil || len(drain(again)) != 0 {
		t.Errorf("a notice under way came again, %v", err)
	}
	stop()
	if again, err := consumer.Fetch(1, jetstream.FetchMaxWait(20*time.Second)); err != nil || len(drain(again)) != 1 {
		t.Errorf("a notice whose worker died did not come again, %v", err)
	}
}

func TestForeignMessagesAreRecognised(t *testing.T) {
	bus := eventstest.Bus(t)
	for _, test := range []struct{ name, subject, body string }{
		{"no JSON", "bitrix24.notices." + member + ".1", "hello"},
		{"no lead", "bitrix24.notices." + member + ".x", "{}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := bus.JetStream().Publish(t.Context(), test.subject, []byte(test.body)); err != nil {
				t.Fatal(err)
			}
			msg := fetch(t, bus, 1)[0]
			if _, err := events.ParseNotice(msg); err == nil {
				t.Error("it passes for a notice")
			}
			if err := msg.DoubleAck(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func notices(tb testing.TB, bus *events.Bus) jetstream.Consumer {
	tb.Helper()
	consumer, err := events.Notices(tb.Context(), bus, member)
	if err != nil {
		tb.Fatal(err)
	}
	return consumer
}

// fetch waits for that many notices; a cluster may take its time.
func fetch(tb testing.TB, bus *events.Bus, count int) []jetstream.Msg {
	tb.Helper()
	var msgs []jetstream.Msg
	var batch jetstream.MessageBatch
	for len(msgs) < count {
		var err error
		if batch, err = notices(tb, bus).Fetch(count-len(msgs), jetstream.FetchMaxWait(time.Minute)); err != nil {
			tb.Fatal(err)
		}
		if msgs = append(msgs, drain(batch)...); !errors.Is(batch.Error(), nats.ErrNoResponders) { // its servers have not heard of the consumer yet
			break
		}
	}
	if len(msgs) != count {
		tb.Fatalf("%d notices came, want %d: %v", len(msgs), count, batch.Error())
	}
	return msgs
}

func drain(batch jetstream.MessageBatch) []jetstream.Msg {
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	return msgs
}
