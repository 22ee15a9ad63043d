package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/reconcile"
)

// hours lets that many hours pass: what was changed before is no longer young.
func (g *ground) hours(n int) {
	_ = g.clock.Wait(g.t.Context(), time.Duration(n)*time.Hour)
}

func (g *ground) edit(id int64, title string) {
	g.t.Helper()
	if err := g.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		g.t.Fatal(err)
	}
}

func TestAChangedPassCostsOneRequestWhereNothingChanged(t *testing.T) {
	g := filled(t, 200)
	g.hours(1)
	if run := g.pass(leads.Run{Mode: leads.RunChanged}); run.Requests != 1 || run.Scanned != 0 {
		t.Errorf("%+v", run.Sums)
	}
}

// A page for itself, then as many as one batch holds: an empty one among them is the end.
func TestAChangedPassThatEndsWithAFullPageIsNotAskedForMore(t *testing.T) {
	g := filled(t, 200)
	g.hours(1)
	for _, id := range g.ids()[:100] {
		g.edit(id, "edited")
	}
	g.hours(1)
	if run := g.pass(leads.Run{Mode: leads.RunChanged}); run.Requests != 2 || run.Scanned != 100 {
		t.Errorf("%+v", run.Sums)
	}
	g.equal()
}

func TestAChangedPassFindsWhatEventsMissed(t *testing.T) {
	g := filled(t, 200)
	g.hours(1)
	ids := g.ids()
	var edited []int64
	for i := range 120 {
		g.edit(ids[i], "edited")
		edited = append(edited, ids[i])
	}
	added := g.portal.Add(3)
	g.remove(ids[150])
	for _, id := range added { // the portal dates some of what it makes up ahead
		g.edit(id, "added")
	}
	g.hours(1)
	run := g.pass(leads.Run{Mode: leads.RunChanged})
	g.found(run, map[leads.FindingKind][]int64{leads.FindingStale: edited, leads.FindingMissed: added})
	if run.Requests != 3 || run.Phantom != 0 || run.Scanned != 123 {
		t.Errorf("%+v", run.Sums)
	}
	if words := g.differs(); words == "" {
		t.Error("a changed pass has found a row that was removed by hand")
	}
	g.edit(ids[0], "edited again")
	g.hours(1)
	if run = g.pass(leads.Run{Mode: leads.RunChanged}); run.Stale != 1 || run.Scanned != 1 {
		t.Errorf("the next one: %+v", run.Sums)
	}
}

// What was changed while a pass was under way is within the next one.
func TestTheWatermarkIsTheStartOfThePassBefore(t *testing.T) {
	g := filled(t, 120)
	g.hours(1)
	g.stretch = 50
	g.pages = 0
	ids := g.ids()
	g.scanned = func(page int) error {
		g.hours(1)
		if page == 2 {
			g.edit(ids[0], "edited behind the pass")
		}
		return nil
	}
	g.pass(leads.Run{Mode: leads.RunFull})
	g.scanned = nil
	g.hours(1)
	run := g.pass(leads.Run{Mode: leads.RunChanged})
	g.found(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[0]}})
	g.equal()
}

func TestAChangedPassNeedsAPassBefore(t *testing.T) {
	g := filled(t, 1)
	g.exec("DELETE FROM leadsync_runs")
	run, err := reconcile.Run(t.Context(), g.config(), g.request(leads.Run{Mode: leads.RunChanged}))
	if err == nil || run.State != leads.RunIncomplete {
		t.Errorf("%v: %s", err, run.State)
	}
}

func TestAnIDPassFindsDeletionsAndStrangers(t *testing.T) {
	g := filled(t, 300)
	ids := g.ids()
	g.gone(ids[10], ids[20])
	g.remove(ids[30])
	g.alter(ids[40], "TITLE", "altered")
	g.hours(1)
	cards := g.portal.Stats().Commands["crm.lead.list"]
	run := g.pass(leads.Run{Mode: leads.RunIDs})
	g.found(run, map[leads.FindingKind][]int64{
		leads.FindingPhantom: {ids[10], ids[20]}, leads.FindingMissed: {ids[30]},
	})
	if run.Deleted != 2 || run.Inserted != 1 || run.Scanned != 298 {
		t.Errorf("%+v after %d lists", run.Sums, g.portal.Stats().Commands["crm.lead.list"]-cards)
	}
}

func TestWhatIsYoungIsRepairedAndNotCounted(t *testing.T) {
	g := filled(t, 20)
	ids := g.ids()
	g.hours(1)
	g.edit(ids[0], "edited long ago")
	g.hours(1)
	g.edit(ids[1], "edited just now")
	run := g.pass(leads.Run{Mode: leads.RunFull})
	g.found(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[0]}})
	if run.Updated != 2 {
		t.Errorf("%+v", run.Sums)
	}
	g.equal()
}

// witness is a Witness with a script.
type witness struct {
	incidents []leads.Incident
	waiting   map[int64]bool
	heard     map[int64]time.Time
}

func (w witness) Incidents(_ context.Context, _ string, _ time.Time) ([]leads.Incident, error) {
	return w.incidents, nil
}

func (w witness) Waiting(context.Context, []int64) (map[int64]bool, error) { return w.waiting, nil }

func (w witness) Heard(context.Context, string, []int64) (map[int64]time.Time, error) {
	return w.heard, nil
}

func TestFindingsAreExplained(t *testing.T) {
	g := filled(t, 20)
	ids := g.ids()
	g.hours(1)
	down := leads.Incident{Kind: leads.IncidentDown, From: g.clock.Now(), To: g.clock.Now().Add(time.Hour)}
	g.edit(ids[0], "while the service was down")
	g.hours(2)
	g.edit(ids[1], "and no callback came")
	g.edit(ids[2], "and a callback came")
	heard := map[int64]time.Time{ids[2]: g.clock.Now()}
	g.edit(ids[3], "and the callback waits")
	g.alter(ids[4], "NAME", "Mallory")
	g.remove(ids[5])
	g.hours(2)
	cfg := g.config()
	cfg.Witness = witness{incidents: []leads.Incident{down}, waiting: map[int64]bool{ids[3]: true}, heard: heard}
	run, err := reconcile.Run(t.Context(), cfg, g.request(leads.Run{Mode: leads.RunFull}))
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.db.Findings(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		ID     int64
		Cause  string
		Behind time.Duration
	}
	var got []told
	for _, f := range list {
		got = append(got, told{f.Ref.LeadID, f.Cause, f.Behind.Round(time.Minute)})
	}
	want := []told{
		{ids[0], "the service was down from 2026-11-23T11:00:00Z to 2026-11-23T12:00:00Z", 4 * time.Hour},
		{ids[1], "no callback seen", 2 * time.Hour},
		{ids[2], "a callback came and no write followed: see bitrix_import_lead_error and the dead letters", 2 * time.Hour},
		{ids[4], "the row was altered in the mirror: the portal's card is the one that was written", 0},
		{ids[5], "the row was removed from the mirror: an earlier pass had seen the lead", got[len(got)-1].Behind},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	g.equal()
}

func TestATransientFailureIsWaitedFor(t *testing.T) {
	g := filled(t, 100)
	g.stretch = 30
	g.alter(g.ids()[70], "TITLE", "altered")
	g.pages = 0
	failures := 0
	g.scanned = func(page int) error {
		if page > 2 && failures < 8 {
			failures++
			return errors.New("the portal is ill")
		}
		return nil
	}
	run := g.pass(leads.Run{Mode: leads.RunFull})
	if run.Stale != 1 || run.Scanned != 100 || failures != 8 {
		t.Errorf("after %d failures %+v", failures, run.Sums)
	}
}

func TestAPassWithoutProgressGivesUp(t *testing.T) {
	g := filled(t, 100)
	g.scanned = func(int) error { return errors.New("the portal is ill") }
	before := g.clock.Now()
	run, err := reconcile.Run(t.Context(), g.config(), g.request(leads.Run{Mode: leads.RunFull}))
	if err == nil || run.State != leads.RunIncomplete || run.Error == "" {
		t.Errorf("%v: %s", err, run.State)
	}
	if took := g.clock.Now().Sub(before); took < time.Hour || took > 2*time.Hour {
		t.Errorf("gave up after %s", took)
	}
}

func TestWhatAPersonMustMendLeavesTheRunRunning(t *testing.T) {
	for _, code := range []string{"NO_AUTH_FOUND", "OVERLOAD_LIMIT"} {
		g := filled(t, 10)
		f := g.portal.Faults()
		f.Refuse = code
		g.portal.SetFaults(f)
		run, err := reconcile.Run(t.Context(), g.config(), g.request(leads.Run{Mode: leads.RunFull}))
		if err == nil || run.State != leads.RunRunning {
			t.Errorf("%s: %v, %s", code, err, run.State)
		}
		f.Refuse = ""
		g.portal.SetFaults(f)
		g.own()
		if run, err = reconcile.Run(t.Context(), g.config(), g.claim()); err != nil || run.State != leads.RunCompleted {
			t.Errorf("%s, afterwards: %v, %s", code, err, run.State)
		}
	}
}

func TestAPausedPassStopsAtItsCheckpoint(t *testing.T) {
	g := filled(t, 100)
	g.stretch = 30
	g.pages = 0
	run := g.request(leads.Run{Mode: leads.RunFull})
	g.scanned = func(page int) error {
		if page == 2 {
			if ok, err := g.db.StopRun(t.Context(), run.ID, leads.RunPaused, ""); err != nil || !ok {
				t.Errorf("pause: %v, %v", ok, err)
			}
		}
		return nil
	}
	got, err := reconcile.Run(t.Context(), g.config(), run)
	if err != nil || got.State != leads.RunPaused || got.Scanned != 60 {
		t.Fatalf("paused: %v, %+v", err, got)
	}
	if ok, err := g.db.ResumeRun(t.Context(), got); err != nil || !ok {
		t.Fatalf("resume: %v, %v", ok, err)
	}
	got, err = reconcile.Run(t.Context(), g.config(), g.claim())
	if err != nil || got.State != leads.RunCompleted || got.Scanned != 100 {
		t.Errorf("resumed: %v, %+v", err, got)
	}
}
