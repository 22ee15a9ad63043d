package consumers_test

import (
	"context"
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

// clumsy is an outbox whose deletions fail, as after a kill between the two steps.
type clumsy struct {
	*repo.DB

	mu    sync.Mutex
	fails int
}

func (c *clumsy) DropOutbox(ctx context.Context, ids []int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails > 0 {
		c.fails--
		return errors.New("killed")
	}
	return c.DB.DropOutbox(ctx, ids)
}

func (o *harness) relay(outbox consumers.Outbox, holder string) *consumers.Relay {
	o.t.Helper()
	topic, err := events.OpenTopic(o.t.Context(), o.js)
	if err != nil {
		o.t.Fatal(err)
	}
	return &consumers.Relay{
		JS: o.js, Outbox: outbox, Topic: topic, Holder: holder, Wake: o.wake, Stats: o.stats,
		Log: o.log.Logger(),
	}
}

// write puts one revision of each lead into the mirror, and so into the outbox.
func (o *harness) write(tickets *leads.Tickets, ids ...int64) {
	o.t.Helper()
	snaps, err := o.client.Leads().Read(o.t.Context(), ids, tickets.Draw)
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range snaps {
		snaps[i].MemberID, snaps[i].Cause = o.member(), leads.CauseEvent
	}
	if _, err := o.db.Apply(o.t.Context(), snaps); err != nil {
		o.t.Fatal(err)
	}
}

func (o *harness) emptied() bool {
	n, err := o.db.OutboxDepth(o.t.Context())
	return err == nil && n == 0
}

// audience hears the topic from its start and checks that revisions rise.
type audience struct {
	mu       sync.Mutex
	last     map[int64]int64
	messages int
	wrong    []leads.Change
}

func (o *harness) audience() *audience {
	o.t.Helper()
	a := &audience{last: map[int64]int64{}}
	background(o.t, func(ctx context.Context) error {
		return events.Subscribe(ctx, o.js, "", true, func(msg jetstream.Msg) {
			c, err := events.ParseChange(msg)
			if err != nil {
				return
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.messages++
			if c.Revision <= a.last[c.LeadID] {
				a.wrong = append(a.wrong, c)
			}
			a.last[c.LeadID] = c.Revision
		})
	})
	return a
}

func (a *audience) revision(id int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[id]
}

func TestRelayMovesTheOutboxOntoTheTopic(t *testing.T) {
	o := open(t, 40)
	ids, tickets := o.ids(), leads.NewTickets(0)
	o.write(tickets, ids...)
	a := o.audience()
	background(t, o.relay(o.db, "one").Run)
	o.until("the outbox is empty", o.emptied)
	for range 3 {
		o.edit(ids[0], "again and again")
		o.edit(ids[0], "and again")
		o.write(tickets, ids[0])
	}
	o.until("the last revision is heard", func() bool {
		row, _ := o.held(ids[0])
		return a.revision(ids[0]) == row.Revision && o.emptied()
	})
	if len(a.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", a.wrong)
	}
}

func TestRelayKilledBeforeDeleteRepeatsNothing(t *testing.T) {
	o := open(t, 20)
	o.write(leads.NewTickets(0), o.ids()...)
	a := o.audience()
	background(t, o.relay(&clumsy{DB: o.db, fails: 2}, "one").Run)
	o.until("the outbox is empty", o.emptied)
	o.until("all is heard", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.messages >= 20 })
	if a.messages != 20 || len(a.wrong) > 0 {
		t.Errorf("%d messages for 20 changes, wrong: %+v", a.messages, a.wrong)
	}
}

// witness sees to it that nothing leaves the outbox that is not on the topic.
type witness struct {
	*repo.DB

	t    testing.TB
	js   jetstream.JetStream
	left int
}

func (w *witness) DropOutbox(ctx context.Context, ids []int64) error {
	w.left += len(ids)
	if n, err := events.Depth(ctx, w.js, events.StreamLeads); err != nil || n < int64(w.left) {
		w.t.Errorf("%d changes leave the outbox, %d are on the topic, %v", w.left, n, err)
	}
	return w.DB.DropOutbox(ctx, ids)
}

func TestOutboxKeepsChangesUntilPublished(t *testing.T) {
	o := open(t, 20)
	o.write(leads.NewTickets(0), o.ids()...)
	background(t, o.relay(&witness{DB: o.db, t: t, js: o.js}, "one").Run)
	o.until("the outbox is empty", o.emptied)
}

// The stream refuses some of many changes that are under way together: those wait in the
// outbox, with all of their batch, and come in their order when there is room.
func TestRefusedChangesWaitInTheOutbox(t *testing.T) {
	o := open(t, 40)
	ids, tickets := o.ids(), leads.NewTickets(0)
	room := func(messages int64) {
		s, err := o.js.Stream(t.Context(), events.StreamLeads)
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs, cfg.Discard = messages, jetstream.DiscardNew
		if _, err := o.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	room(25)
	for _, title := range []string{"one", "two"} {
		for _, id := range ids {
			o.edit(id, title)
		}
		o.write(tickets, ids...)
	}
	a := o.audience()
	background(t, o.relay(o.db, "one").Run)
	o.until("it says that changes wait", func() bool { return strings.Contains(o.log.String(), "outbox waits") })
	if n, err := o.db.OutboxDepth(t.Context()); n != 80 || err != nil {
		t.Errorf("%d of 80 changes are left, %v", n, err)
	}
	room(-1)
	o.until("the outbox is empty", o.emptied)
	o.until("all is heard", func() bool { return o.heardAll(a) })
	if len(a.wrong) > 0 {
		t.Errorf("revisions did not rise: %+v", a.wrong)
	}
}

func TestOneRelayWorksAtATime(t *testing.T) {
	o := open(t, 1)
	lease, err := events.TakeLease(t.Context(), o.js, "relay", "other")
	if err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- lease.Hold(t.Context(), func(context.Context) error { <-free; return nil })
	}()
	background(t, o.relay(o.db, "one").Run)
	o.write(leads.NewTickets(0), o.ids()...)
	if o.stats.Published.Load() != 0 {
		t.Error("two relays at work")
	}
	close(free)
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	o.until("it takes over", o.emptied)
}
