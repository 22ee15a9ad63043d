package consumers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

func (o *office) announce(event events.PortalEvent) {
	o.t.Helper()
	n := events.PortalNotice{MemberID: o.member(), Event: event, At: time.Now()}
	if err := events.PublishPortal(o.t.Context(), o.js, n); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) state(memberID string) leads.PortalState {
	o.t.Helper()
	p, _, err := o.db.Portal(o.t.Context(), memberID)
	if err != nil {
		o.t.Fatal(err)
	}
	return p.State
}

func TestInstallationBindsBeforeItImports(t *testing.T) {
	o := open(t, 0)
	o.announce("ONAPPINSTALL")
	o.work(o.config("one", nil))
	o.until("the import is done", func() bool {
		_, ok, err := o.db.LastCompleted(t.Context(), o.member()) // and not only begun, or it would be asked for again
		return err == nil && ok
	})
	o.announce("ONAPPINSTALL")
	o.until("a later installation has everything compared", func() bool { return slices.Contains(o.desk.asked(), "pass full") })
	if diff := cmp.Diff([]string{"bind", "pass import", "bind", "pass full"}, o.desk.asked()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestInstallationThatCannotBindComesAgain(t *testing.T) {
	o := open(t, 0)
	o.desk.bindError = errors.New("ill")
	o.announce("ONAPPINSTALL")
	o.work(o.config("one", nil))
	o.until("it was tried", func() bool { return len(o.desk.asked()) > 0 })
	o.desk.mu.Lock()
	o.desk.bindError = nil
	o.desk.mu.Unlock()
	o.until("the import is done", func() bool { return slices.Contains(o.desk.asked(), "pass import") })
}

func TestUninstallationIsBelievedOfThePortalOnly(t *testing.T) {
	o := open(t, 0)
	o.announce(events.Uninstalled)
	o.work(o.config("one", nil))
	o.until("the portal was asked", func() bool { return slices.Contains(o.desk.asked(), "installed?") })
	o.desk.mu.Lock()
	o.desk.there = false
	o.desk.mu.Unlock()
	if s := o.state(o.member()); s != leads.PortalActive {
		t.Fatalf("a callback alone made it %s", s)
	}
	o.announce(events.Uninstalled)
	o.until("it is uninstalled", func() bool { return o.state(o.member()) == leads.PortalUninstalled })
}

func TestTheDoorbellIsHeardAndImportsNothing(t *testing.T) {
	o := open(t, 0)
	o.announce(events.Doorbell)
	o.announce(events.Tested)
	o.work(o.config("one", nil))
	o.until("both are heard", func() bool {
		asked := o.desk.asked()
		return slices.Contains(asked, string(events.Doorbell)) && slices.Contains(asked, string(events.Tested))
	})
	o.until("they are dealt with", func() bool {
		n, err := events.Depth(t.Context(), o.js, events.StreamPortals)
		return err == nil && n == 0
	})
	if slices.Contains(o.desk.asked(), "bind") {
		t.Error("it was taken for an installation")
	}
}

func TestRequestedPassesAreRunByTheOwner(t *testing.T) {
	o := open(t, 0)
	o.work(o.config("one", nil))
	id, err := o.db.RequestRun(t.Context(), leads.Run{MemberID: o.member(), Mode: leads.RunFull})
	if err != nil {
		t.Fatal(err)
	}
	o.until("it is done", func() bool {
		run, _, err := o.db.Run(t.Context(), id)
		return err == nil && run.State == leads.RunCompleted
	})
}

func TestPortalHasOneOwnerAmongReplicas(t *testing.T) {
	o := open(t, 30)
	var mu sync.Mutex
	under, most := 0, 0
	o.desk.script(func(context.Context, []int64) error {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		return nil
	}, func([]leads.Snapshot) { mu.Lock(); under--; mu.Unlock() })
	first := o.work(o.config("one", nil))
	o.work(o.config("two", nil))
	o.tell("ONCRMLEADADD", o.ids()...)
	o.until("all are written", func() bool { return o.stats.Outcomes(leads.Inserted) == 30 && o.settled() })
	first()
	o.edit(o.ids()[0], "after the first has gone")
	o.tell("ONCRMLEADUPDATE", o.ids()[0])
	o.until("the other goes on", func() bool { return o.stats.Outcomes(leads.Updated) == 1 })
	o.equal()
	if mu.Lock(); most != 1 {
		t.Errorf("%d reads at the same time", most)
	}
	mu.Unlock()
}

func TestFormerOwnersLateWriteIsRefused(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	portal, _, err := o.db.Portal(t.Context(), o.member())
	if err != nil {
		t.Fatal(err)
	}
	err = consumers.Own(t.Context(), o.config("former", nil), portal, func(ctx context.Context, d consumers.Desk, _ consumers.Ownership) error {
		snaps, err := d.Leads(ctx, []int64{id})
		if err != nil {
			return err
		}
		if _, err := o.db.RaiseEpoch(ctx, o.member(), "new"); err != nil {
			return err
		}
		snaps[0].MemberID = o.member()
		_, err = o.db.Apply(ctx, snaps)
		return err
	})
	if !errors.Is(err, leads.ErrNotOwner) {
		t.Errorf("%v", err)
	}
	if o.written(id) {
		t.Error("it was written")
	}
}

func TestOwnerThatWasOvertakenTakesThePortalAnew(t *testing.T) {
	o := open(t, 2)
	ids := o.ids()
	o.work(o.config("one", nil))
	o.tell("ONCRMLEADADD", ids[0])
	o.until("the first is written", func() bool { return o.written(ids[0]) })
	if _, err := o.db.RaiseEpoch(t.Context(), o.member(), "somebody"); err != nil {
		t.Fatal(err)
	}
	o.tell("ONCRMLEADADD", ids[1])
	o.until("the second is written too", func() bool { return o.written(ids[1]) })
}

// Who authorizes a portal again while it is owned changes nothing of its record but when
// that was. When the tokens die later, that still has to be said.
func TestTokensThatDieAfterAnotherAuthorizationAreReported(t *testing.T) {
	o := open(t, 2)
	ids := o.ids()
	o.work(o.config("one", nil))
	o.tell("ONCRMLEADADD", ids[0])
	o.until("the first is written", func() bool { return o.written(ids[0]) })
	again, _, err := o.db.Portal(t.Context(), o.member())
	if err != nil {
		t.Fatal(err)
	}
	again.UpdatedAt = again.UpdatedAt.Add(time.Hour)
	o.save(again)
	o.desk.script(func(context.Context, []int64) error { return leads.ErrUnauthorized }, nil)
	o.tell("ONCRMLEADADD", ids[1])
	o.until("the portal needs authorization", func() bool { return o.state(o.member()) == leads.PortalNeedsAuthorization })
}

func TestSickPortalStopsNobodyElse(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		state leads.PortalState
	}{
		{"dead tokens", leads.ErrUnauthorized, leads.PortalNeedsAuthorization},
		{"blocked", leads.ErrStopped, leads.PortalActive},
		{"ill", errors.New("a web page"), leads.PortalActive},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := open(t, 5)
			sick, sickDesk := o.add(1, 2)
			sickDesk.script(func(context.Context, []int64) error { return test.err }, nil)
			id := sick.Info().MemberID
			n := events.Notice{Ref: leads.Ref{MemberID: id, LeadID: 1}, Event: "ONCRMLEADADD", Cause: leads.CauseEvent}
			if err := events.PublishNotice(t.Context(), o.js, n); err != nil {
				t.Fatal(err)
			}
			o.work(o.config("one", map[string]*desk{id: sickDesk}))
			o.until("the sick one was tried", func() bool { return sickDesk.reads.Load() > 0 })
			o.tell("ONCRMLEADADD", o.ids()...)
			o.until("the other portal's leads are written", func() bool { return o.stats.Outcomes(leads.Inserted) == 5 })
			o.until("the sick one's state is right", func() bool { return o.state(id) == test.state })
			if p, err := events.Pending(t.Context(), o.js, id); err != nil || p != 1 || len(o.dead()) != 0 {
				t.Errorf("the sick portal's notice: %d pending, %v, %d dead", p, err, len(o.dead()))
			}
		})
	}
}

func TestPortalsComeAndGoWhileOwnersWork(t *testing.T) {
	o := open(t, 1)
	o.work(o.config("one", nil))
	o.tell("ONCRMLEADADD", o.ids()...)
	o.until("its lead is written", func() bool { return o.settled() && o.written(o.ids()[0]) })
	if err := o.db.SetPortalState(t.Context(), o.member(), leads.PortalUninstalled); err != nil {
		t.Fatal(err)
	}
	o.until("its lease is free", func() bool {
		_, err := events.TakeLease(t.Context(), o.js, "portal-"+o.member(), "test")
		return err == nil
	})
	o.until("its consumers are gone", func() bool {
		_, err := o.js.Consumer(t.Context(), events.StreamNotices, "notices-"+o.member())
		return errors.Is(err, jetstream.ErrConsumerNotFound)
	})
}

func TestPassesRunWithoutAService(t *testing.T) {
	o := open(t, 0)
	portal, _, err := o.db.Portal(t.Context(), o.member())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.db.RequestRun(t.Context(), leads.Run{MemberID: o.member(), Mode: leads.RunFull}); err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error { return consumers.RunPasses(ctx, o.config("command", nil), portal) })
	o.until("it ran", func() bool { return slices.Contains(o.desk.asked(), "pass full") })
}
