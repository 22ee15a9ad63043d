package consumers_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
)

// failingOutbox is an outbox whose first deletions fail, as if the process were killed between
// publishing and deleting.
type failingOutbox struct {
	*repo.DB

	mu    sync.Mutex
	fails int
}

func (o *failingOutbox) DropOutbox(ctx context.Context, ids []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails > 0 {
		o.fails--
		return errors.New("killed")
	}
	return o.DB.DropOutbox(ctx, ids)
}

func (h *harness) relay(outbox consumers.Outbox, holder string) *consumers.Relay {
	h.t.Helper()
	topic, err := events.OpenTopic(h.t.Context(), h.bus)
	if err != nil {
		h.t.Fatal(err)
	}
	return &consumers.Relay{
		Bus: h.bus, Outbox: outbox, Topic: topic, Holder: holder, Wake: h.wake, Stats: h.stats,
		Log: h.log.Logger(),
	}
}

// write puts one revision of each lead into the mirror, and so into the outbox.
func (h *harness) write(tickets *leads.Tickets, ids ...int64) {
	h.t.Helper()
	snaps, err := h.client.Leads().Read(h.t.Context(), ids, tickets.Draw)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range snaps {
		snaps[i].MemberID, snaps[i].Cause = h.member(), leads.CauseEvent
	}
	if _, err := h.db.Apply(h.t.Context(), snaps); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) outboxEmpty() bool {
	n, err := h.db.OutboxDepth(h.t.Context())
	return err == nil && n == 0
}

// subscriber reads the topic from its start and checks that revisions rise.
type subscriber struct {
	mu       sync.Mutex
	last     map[int64]int64
	messages int
	wrong    []leads.Change
}

func (h *harness) subscribe() *subscriber {
	h.t.Helper()
	s := &subscriber{last: map[int64]int64{}}
	background(h.t, func(ctx context.Context) error {
		return events.Subscribe(ctx, h.bus, "", true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.messages++
			if c.Revision <= s.last[c.LeadID] {
				s.wrong = append(s.wrong, c)
			}
			s.last[c.LeadID] = c.Revision
		})
	})
	return s
}

func (s *subscriber) revision(id int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id]
}

func TestRelayMovesTheOutboxOntoTheTopic(t *testing.T) {
	h := open(t, 40)
	ids, tickets := h.ids(), leads.NewTickets(0)
	h.write(tickets, ids...)
	s := h.subscribe()
	background(t, h.relay(h.db, "one").Run)
	h.until("the outbox is empty", h.outboxEmpty)
	for range 3 {
		h.edit(ids[0], "again and again")
		h.edit(ids[0], "and again")
		h.write(tickets, ids[0])
	}
	h.until("the last revision is received", func() bool {
		row, _ := h.row(ids[0])
		return s.revision(ids[0]) == row.Revision && h.outboxEmpty()
	})
	if len(s.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", s.wrong)
	}
}

func TestRelayKilledBeforeDeleteRepeatsNothing(t *testing.T) {
	h := open(t, 20)
	h.write(leads.NewTickets(0), h.ids()...)
	s := h.subscribe()
	background(t, h.relay(&failingOutbox{DB: h.db, fails: 2}, "one").Run)
	h.until("the outbox is empty", h.outboxEmpty)
	h.until("every change is received", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.messages >= 20 })
	if s.messages != 20 || len(s.wrong) > 0 {
		t.Errorf("%d messages for 20 changes, revisions that did not rise: %+v", s.messages, s.wrong)
	}
}

// checkedOutbox fails the test if a change leaves the outbox before it is on the topic.
type checkedOutbox struct {
	*repo.DB

	t    testing.TB
	bus  *events.Bus
	left int
}

func (o *checkedOutbox) DropOutbox(ctx context.Context, ids []int64) error {
	o.left += len(ids)
	if n, err := events.Depth(ctx, o.bus, events.StreamLeads); err != nil || n < int64(o.left) {
		o.t.Errorf("%d changes leave the outbox, %d are on the topic, %v", o.left, n, err)
	}
	return o.DB.DropOutbox(ctx, ids)
}

// A change whose row is gone is not published, and holds up none of the others.
func TestChangeWithoutItsRowIsLeftOut(t *testing.T) {
	h := open(t, 3)
	h.write(leads.NewTickets(0), h.ids()...)
	db, err := sql.Open("sqlite", strings.TrimPrefix(h.url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	gone := h.ids()[1]
	if _, err := db.ExecContext(t.Context(), "DELETE FROM bitrix_leads WHERE sql_ID = ?", gone); err != nil {
		t.Fatal(err)
	}
	s := h.subscribe()
	background(t, h.relay(h.db, "one").Run)
	h.until("the outbox is empty", h.outboxEmpty)
	h.until("the others are announced", func() bool { return s.revision(h.ids()[0]) == 1 && s.revision(h.ids()[2]) == 1 })
	if s.revision(gone) != 0 {
		t.Error("a lead without a row was announced")
	}
}

func TestOutboxKeepsChangesUntilPublished(t *testing.T) {
	h := open(t, 20)
	h.write(leads.NewTickets(0), h.ids()...)
	background(t, h.relay(&checkedOutbox{DB: h.db, t: t, bus: h.bus}, "one").Run)
	h.until("the outbox is empty", h.outboxEmpty)
}

// The stream refuses some of many changes that are published together: they wait in the outbox,
// with all of their batch, and are published in order when there is room.
func TestRefusedChangesWaitInTheOutbox(t *testing.T) {
	h := open(t, 40)
	ids, tickets := h.ids(), leads.NewTickets(0)
	room := func(messages int64) {
		s, err := h.bus.Stream(t.Context(), events.StreamLeads)
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs, cfg.Discard = messages, jetstream.DiscardNew
		if _, err := h.bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	room(25)
	for _, title := range []string{"one", "two"} {
		for _, id := range ids {
			h.edit(id, title)
		}
		h.write(tickets, ids...)
	}
	s := h.subscribe()
	background(t, h.relay(h.db, "one").Run)
	h.until("it says that changes wait", func() bool { return strings.Contains(h.log.String(), "cannot publish the outbox, retrying") })
	if n, err := h.db.OutboxDepth(t.Context()); n != 80 || err != nil {
		t.Errorf("%d of 80 changes are left, %v", n, err)
	}
	if err := h.stats.RelayError(); err == nil {
		t.Error("readiness cannot say why")
	}
	room(-1)
	h.until("the outbox is empty", h.outboxEmpty)
	h.until("no error is left", func() bool { return h.stats.RelayError() == nil })
	h.until("every change is received", func() bool { return h.receivedAll(s) })
	if len(s.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", s.wrong)
	}
}

func TestOneRelayWorksAtATime(t *testing.T) {
	h := open(t, 1)
	lease, err := events.TakeLease(t.Context(), h.bus, "relay", "other")
	if err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- lease.Hold(t.Context(), func(context.Context) error { <-free; return nil })
	}()
	background(t, h.relay(h.db, "one").Run)
	h.write(leads.NewTickets(0), h.ids()...)
	if h.stats.Published.Load() != 0 {
		t.Error("two relays at work")
	}
	close(free)
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	h.until("it takes over", h.outboxEmpty)
}
