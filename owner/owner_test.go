package owner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
)

// notify publishes notices of leads.
func (h *harness) notify(memberID string, ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		n := events.Notice{Ref: leads.Ref{MemberID: memberID, LeadID: id}, Event: "ONCRMLEADADD", Cause: leads.CauseEvent, ReceivedAt: time.Now()}
		if err := events.PublishNotice(h.t.Context(), h.bus, n); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *harness) ids() (ids []int64) {
	for id := range h.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

func (h *harness) written(id int64) bool {
	h.t.Helper()
	row, ok, err := h.db.Row(h.t.Context(), leads.Ref{MemberID: h.member(), LeadID: id})
	if err != nil {
		h.t.Fatal(err)
	}
	return ok && !row.Deleted
}

// failingReader is a portal whose reads end with an error.
type failingReader struct{ err error }

func (r failingReader) Leads(context.Context, []int64) ([]leads.Snapshot, error) { return nil, r.err }

// failReads fails the reads of one portal.
func failReads(memberID string, err error) func(owner.Ownership, consumers.Reader) consumers.Reader {
	return func(own owner.Ownership, next consumers.Reader) consumers.Reader {
		if own.Portal.MemberID == memberID {
			return failingReader{err}
		}
		return next
	}
}

func TestInstallationBindsBeforeItImports(t *testing.T) {
	h := open(t, 3)
	h.publish(events.Installed)
	h.work(h.config())
	h.until("the import is done", func() bool { return strings.Contains(h.log.String(), "pass ended") })
	log := h.log.String()
	if bound, pass := strings.Index(log, "events bound"), strings.Index(log, "pass ended"); bound < 0 || bound > pass {
		t.Errorf("bound at %d, imported at %d of the log", bound, pass)
	}
	h.publish(events.Installed)
	h.until("a later installation has everything compared", func() bool { return len(h.passes()) == 2 })
	if diff := cmp.Diff([]leads.RunMode{leads.RunImport, leads.RunFull}, h.passes()); diff != "" {
		t.Errorf("passes (-want +got):\n%s", diff)
	}
}

func TestInstallationThatCannotBindIsRetried(t *testing.T) {
	h := open(t, 0)
	h.transport.failOn("event.")
	h.publish(events.Authorized)
	h.work(h.config())
	h.until("it was tried", func() bool { return h.transport.count("event.") > 0 })
	h.transport.failOn("")
	h.until("the import is done", func() bool { return slices.Contains(h.passes(), leads.RunImport) })
}

func TestOnlyThePortalConfirmsAnUninstallation(t *testing.T) {
	h := open(t, 0)
	h.publish(events.Uninstalled)
	h.work(h.config())
	h.until("the portal was asked", func() bool {
		return strings.Contains(h.log.String(), "the portal says that it is installed") && h.handled()
	})
	if s := h.state(); s != leads.PortalActive {
		t.Fatalf("a callback alone made it %s", s)
	}
	h.portal.Uninstall(true)
	h.publish(events.Uninstalled)
	h.until("it is uninstalled", func() bool { return h.state() == leads.PortalUninstalled })
}

// Only a notice that says an authorization or a request to bind may cause a full pass:
// messages without a kind may come from another program that writes to the stream.
func TestNoticesOfOtherKindsBindNothing(t *testing.T) {
	h := open(t, 0)
	h.work(h.config())
	for _, kind := range []events.PortalEvent{events.Doorbell, events.Tested, "", "ONSOMETHINGNEW"} {
		h.publish(kind)
		h.until("it is handled", h.handled)
	}
	if n := h.transport.count("event.bind"); n != 0 {
		t.Errorf("%d requests to bind", n)
	}
	if runs, err := h.db.Runs(t.Context(), h.member(), 10); err != nil || len(runs) != 0 {
		t.Errorf("passes %v, %v", runs, err)
	}
	if n := h.stats.IgnoredNotices.Load(); n != 2 {
		t.Errorf("%d notices ignored, want 2", n)
	}
}

func TestRequestedPassesAreRunByTheOwner(t *testing.T) {
	h := open(t, 2)
	h.work(h.config())
	id, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunFull})
	if err != nil {
		t.Fatal(err)
	}
	h.until("it is done", func() bool {
		run, _, err := h.db.Run(t.Context(), id)
		return err == nil && run.State == leads.RunCompleted
	})
}

// countingReader notes how many reads are under way at the same time.
type countingReader struct {
	next        consumers.Reader
	mu          *sync.Mutex
	under, most *int
}

func (r countingReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	r.mu.Lock()
	*r.under++
	*r.most = max(*r.most, *r.under)
	r.mu.Unlock()
	defer func() { r.mu.Lock(); *r.under--; r.mu.Unlock() }()
	return r.next.Leads(ctx, ids)
}

func TestPortalHasOneOwnerAmongReplicas(t *testing.T) {
	h := open(t, 30)
	ids := h.ids()
	var mu sync.Mutex
	under, most := 0, 0
	cfg := h.config()
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader {
		return countingReader{next, &mu, &under, &most}
	}
	first := h.work(cfg)
	cfg.Holder = "two"
	h.work(cfg)
	h.notify(h.member(), ids...)
	h.until("all are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 30 })
	first()
	if err := h.portal.Edit(ids[0], map[string]any{"TITLE": "after the first has gone"}); err != nil {
		t.Fatal(err)
	}
	h.notify(h.member(), ids[0])
	h.until("the other goes on", func() bool { return h.stats.Outcomes(leads.Updated) == 1 })
	if mu.Lock(); most != 1 {
		t.Errorf("%d reads at the same time", most)
	}
	mu.Unlock()
}

func TestOwnerThatLostThePortalTakesItBack(t *testing.T) {
	h := open(t, 2)
	ids := h.ids()
	h.work(h.config())
	h.notify(h.member(), ids[0])
	h.until("the first is written", func() bool { return h.written(ids[0]) })
	if _, err := h.db.RaiseEpoch(t.Context(), h.member(), "somebody"); err != nil {
		t.Fatal(err)
	}
	h.notify(h.member(), ids[1])
	h.until("the second is written too", func() bool { return h.written(ids[1]) })
}

// lateReader lets another process take the portal while its read is on its way.
type lateReader struct {
	next consumers.Reader
	take func(context.Context) error
}

func (r lateReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	snaps, err := r.next.Leads(ctx, ids)
	if err != nil {
		return nil, err
	}
	return snaps, r.take(ctx)
}

func TestFormerOwnersLateWriteIsRefused(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	taken := false
	cfg := h.config()
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader {
		return lateReader{next, func(ctx context.Context) error {
			if taken { // the new owner's read never comes to an end
				<-ctx.Done()
				return ctx.Err()
			}
			taken = true
			_, err := h.db.RaiseEpoch(ctx, h.member(), "new")
			return err
		}}
	}
	h.notify(h.member(), id)
	h.work(cfg)
	h.until("the write is refused", func() bool { return strings.Contains(h.log.String(), leads.ErrNotOwner.Error()) })
	if h.written(id) {
		t.Error("it was written")
	}
}

// A second log-in while the portal is owned changes only the time of its record. When the
// tokens die later, that is still reported.
func TestTokensThatDieAfterAnotherLoginAreReported(t *testing.T) {
	h := open(t, 2)
	again, _, err := h.db.Portal(t.Context(), h.member())
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.config()
	cfg.Reader = failReads(h.member(), leads.ErrUnauthorized)
	h.work(cfg)
	h.until("it is served", func() bool { return strings.Contains(h.log.String(), "took over portal") })
	again.UpdatedAt = again.UpdatedAt.Add(time.Hour)
	if err := h.db.SavePortal(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	h.notify(h.member(), h.ids()[0])
	h.until("the portal needs authorization", func() bool { return h.state() == leads.PortalNeedsAuthorization })
}

func TestFailingPortalStopsNobodyElse(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		state leads.PortalState
	}{
		{"dead tokens", leads.ErrUnauthorized, leads.PortalNeedsAuthorization},
		{"blocked", leads.ErrStopped, leads.PortalActive},
		{"a web page", errors.New("a web page"), leads.PortalActive},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, 5)
			other := h.start(1, 2).Info().MemberID
			if err := h.db.SavePortal(t.Context(), leads.Portal{
				MemberID: other, Domain: "other.example.com", State: leads.PortalActive, WebhookURL: "http://127.0.0.1:1/rest/1/x/",
			}); err != nil {
				t.Fatal(err)
			}
			h.notify(other, 1)
			cfg := h.config()
			cfg.Reader = failReads(other, test.err)
			h.work(cfg)
			h.notify(h.member(), h.ids()...)
			h.until("the other portal's leads are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 5 })
			h.until("the failing one's state is right", func() bool {
				p, _, err := h.db.Portal(t.Context(), other)
				return err == nil && p.State == test.state
			})
			if n, err := events.Pending(t.Context(), h.bus, other); err != nil || n != 1 || h.stats.Parked.Load() != 0 {
				t.Errorf("the failing portal's notice: %d pending, %v, %d parked", n, err, h.stats.Parked.Load())
			}
		})
	}
}

func TestPortalsComeAndGoWhileOwnersWork(t *testing.T) {
	h := open(t, 1)
	h.work(h.config())
	h.notify(h.member(), h.ids()...)
	h.until("its lead is written", func() bool { return h.written(h.ids()[0]) })
	if err := h.db.SetPortalState(t.Context(), h.member(), leads.PortalUninstalled); err != nil {
		t.Fatal(err)
	}
	h.until("its lease is free", func() bool {
		_, err := events.TakeLease(t.Context(), h.bus, "portal-"+h.member(), "test")
		return err == nil
	})
	h.until("its consumers are gone", func() bool {
		_, err := h.bus.JetStream().Consumer(t.Context(), events.StreamNotices, "notices-"+h.member())
		return errors.Is(err, jetstream.ErrConsumerNotFound)
	})
}

func TestPassesRunWithoutAService(t *testing.T) {
	h := open(t, 2)
	if _, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunFull}); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("other settings")
	err := owner.RunPasses(t.Context(), h.config(), h.record, func(context.Context) error { return refused })
	if !errors.Is(err, refused) || len(h.passes()) != 0 {
		t.Errorf("%v, passes %v", err, h.passes())
	}
	h.background(func(ctx context.Context) error {
		return owner.RunPasses(ctx, h.config(), h.record, func(context.Context) error { return nil })
	})
	h.until("it ran", func() bool { return slices.Contains(h.passes(), leads.RunFull) })
}

// gate lets reads through until it is closed with an error.
type gate struct {
	mu  sync.Mutex
	err error
}

func (g *gate) close(err error) { g.mu.Lock(); defer g.mu.Unlock(); g.err = err }

type gatedReader struct {
	gate *gate
	next consumers.Reader
}

func (r gatedReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	r.gate.mu.Lock()
	err := r.gate.err
	r.gate.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return r.next.Leads(ctx, ids)
}

// A portal that refuses everything costs no lead anything, is said in its record for other
// processes, and is caught up with when it answers again.
func TestRefusalsAreStoredAndCaughtUpWith(t *testing.T) {
	h := open(t, 3)
	g := &gate{}
	g.close(fmt.Errorf("%w: the permission CRM is missing", leads.ErrPortalRefuses))
	cfg := h.config()
	cfg.TimeScale = 60 // a problem is over when the portal has worked for a minute
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader { return gatedReader{g, next} }
	h.notify(h.member(), h.ids()...)
	h.work(cfg)
	standing := func() leads.Standing {
		s, _, err := h.db.Standing(t.Context(), h.member())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	h.until("the problem is stored", func() bool { return strings.Contains(standing().Problem, "permission CRM is missing") })
	if failing, err := h.db.Failing(t.Context(), h.member()); err != nil || len(failing) != 0 {
		t.Errorf("leads counted as failing: %v, %v", failing, err)
	}
	g.close(nil)
	h.until("the leads are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 3 })
	h.until("the problem is cleared", func() bool { return standing().Problem == "" })
}
