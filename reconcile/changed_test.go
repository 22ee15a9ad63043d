package reconcile_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
)

// advanceHours lets hours pass: what changed before is old enough to count as missed.
func (h *harness) advanceHours(n int) {
	_ = h.clock.Wait(h.t.Context(), time.Duration(n)*time.Hour)
}

func (h *harness) editInPortal(id int64, title string) {
	h.t.Helper()
	if err := h.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		h.t.Fatal(err)
	}
}

func TestChangedPassWithoutChangesCostsOneRequest(t *testing.T) {
	h := imported(t, 200)
	h.advanceHours(1)
	if run := h.pass(leads.Run{Mode: leads.RunChanged}); run.Requests != 1 || run.Scanned != 0 {
		t.Errorf("%+v", run.Sums)
	}
}

// The first page is a request of its own, the next ones share a batch, and an empty one
// among them is the end.
func TestChangedPassEndsAfterAFullPage(t *testing.T) {
	h := imported(t, 200)
	h.advanceHours(1)
	for _, id := range h.ids()[:100] {
		h.editInPortal(id, "edited")
	}
	h.advanceHours(1)
	if run := h.pass(leads.Run{Mode: leads.RunChanged}); run.Requests != 2 || run.Scanned != 100 {
		t.Errorf("%+v", run.Sums)
	}
	h.wantEqual()
}

func TestChangedPassFindsWhatEventsMissed(t *testing.T) {
	h := imported(t, 200)
	h.advanceHours(1)
	ids := h.ids()
	var edited []int64
	for i := range 120 {
		h.editInPortal(ids[i], "edited")
		edited = append(edited, ids[i])
	}
	added := h.portal.Add(3)
	h.removeRow(ids[150])
	for _, id := range added { // the portal dates some of the leads it generates in the future
		h.editInPortal(id, "added")
	}
	h.advanceHours(1)
	run := h.pass(leads.Run{Mode: leads.RunChanged})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: edited, leads.FindingMissed: added})
	if run.Requests != 3 || run.Phantom != 0 || run.Scanned != 123 {
		t.Errorf("%+v", run.Sums)
	}
	if h.firstDifference() == "" {
		t.Error("a changed pass found a row that was removed by hand")
	}
	h.editInPortal(ids[0], "edited again")
	h.advanceHours(1)
	if run = h.pass(leads.Run{Mode: leads.RunChanged}); run.Stale != 1 || run.Scanned != 1 {
		t.Errorf("the next one: %+v", run.Sums)
	}
}

// The next pass reads what changed while this one was under way.
func TestWatermarkIsTheStartOfThePassBefore(t *testing.T) {
	h := imported(t, 120)
	h.advanceHours(1)
	h.windowSize = 50
	h.windows.Store(0)
	ids := h.ids()
	h.beforeRead = func(page int) error {
		h.advanceHours(1)
		if page == 2 {
			h.editInPortal(ids[0], "edited behind the pass")
		}
		return nil
	}
	h.pass(leads.Run{Mode: leads.RunFull})
	h.beforeRead = nil
	h.advanceHours(1)
	run := h.pass(leads.Run{Mode: leads.RunChanged})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[0]}})
	h.wantEqual()
}

func TestChangedPassNeedsAPassBefore(t *testing.T) {
	h := imported(t, 1)
	h.exec("DELETE FROM leadsync_runs")
	run, err := reconcile.Run(t.Context(), h.config(), h.request(leads.Run{Mode: leads.RunChanged}))
	if err == nil || run.State != leads.RunIncomplete {
		t.Errorf("%v: %s", err, run.State)
	}
}

func TestIDPassFindsDeletedAndMissedLeads(t *testing.T) {
	h := imported(t, 300)
	ids := h.ids()
	h.deleteInPortal(ids[10], ids[20])
	h.removeRow(ids[30])
	h.alterRow(ids[40], "TITLE", "altered")
	h.advanceHours(1)
	cards := h.portal.Stats().Commands["crm.lead.list"]
	run := h.pass(leads.Run{Mode: leads.RunIDs})
	h.wantFindings(run, map[leads.FindingKind][]int64{
		leads.FindingPhantom: {ids[10], ids[20]}, leads.FindingMissed: {ids[30]},
	})
	if run.Deleted != 2 || run.Inserted != 1 || run.Scanned != 298 {
		t.Errorf("%+v after %d lists", run.Sums, h.portal.Stats().Commands["crm.lead.list"]-cards)
	}
}

func TestRecentChangesAreRepairedAndNotCounted(t *testing.T) {
	h := imported(t, 20)
	ids := h.ids()
	h.advanceHours(1)
	h.editInPortal(ids[0], "edited long ago")
	h.advanceHours(1)
	h.editInPortal(ids[1], "edited just now")
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[0]}})
	if run.Updated != 2 {
		t.Errorf("%+v", run.Sums)
	}
	h.wantEqual()
}

// A lead that changed a moment ago and cannot be stored is neither a finding nor merely too recent.
func TestRecentChangesThatCannotBeStoredAreCounted(t *testing.T) {
	h := imported(t, 20)
	ids := h.ids()
	h.advanceHours(1)
	h.editInPortal(ids[0], "edited just now")
	h.editInPortal(ids[1], "poison")
	h.exec("CREATE TRIGGER poison BEFORE UPDATE ON bitrix_leads WHEN NEW.sql_ID = " + strconv.FormatInt(ids[1], 10) + " BEGIN SELECT RAISE(ABORT, 'poison'); END")
	run := h.pass(leads.Run{Mode: leads.RunFull})
	if run.Failing != 1 || run.Updated != 1 || run.TooRecent() != 1 || run.Found() != 0 {
		t.Errorf("%+v", run.Sums)
	}
}

// evidence is what a test says of incidents, notices and callbacks.
type evidence struct {
	incidents []leads.Incident
	pending   map[int64]bool
	callbacks map[int64]time.Time
}

func (e evidence) Incidents(context.Context, string, time.Time) ([]leads.Incident, error) {
	return e.incidents, nil
}

func (e evidence) PendingNotices(context.Context, []int64) (map[int64]bool, error) {
	return e.pending, nil
}

func (e evidence) LastCallbacks(context.Context, string, []int64) (map[int64]time.Time, error) {
	return e.callbacks, nil
}

func TestFindingsAreExplained(t *testing.T) {
	h := imported(t, 20)
	ids := h.ids()
	h.advanceHours(1)
	down := leads.Incident{Kind: leads.IncidentDown, From: h.clock.Now(), To: h.clock.Now().Add(time.Hour)}
	h.editInPortal(ids[0], "while the service was down")
	h.advanceHours(2)
	h.editInPortal(ids[1], "and no callback came")
	h.editInPortal(ids[2], "and a callback came")
	callbacks := map[int64]time.Time{ids[2]: h.clock.Now()}
	h.editInPortal(ids[3], "and the notice is pending")
	h.alterRow(ids[4], "NAME", "Mallory")
	h.removeRow(ids[5])
	h.advanceHours(2)
	cfg := h.config()
	cfg.Evidence = evidence{incidents: []leads.Incident{down}, pending: map[int64]bool{ids[3]: true}, callbacks: callbacks}
	run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull}))
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.db.Findings(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	type explained struct {
		ID     int64
		Cause  string
		Behind time.Duration
	}
	var got []explained
	for _, f := range list {
		got = append(got, explained{f.Ref.LeadID, f.Cause, f.Behind.Round(time.Minute)})
	}
	want := []explained{
		{ids[0], "the service was down from 2026-11-23T11:00:00Z to 2026-11-23T12:00:00Z", 4 * time.Hour},
		{ids[1], "no callback seen", 2 * time.Hour},
		{ids[2], "a callback came and no write followed: see bitrix_import_lead_error and the dead letters", 2 * time.Hour},
		{ids[4], "the row was altered in the mirror: the portal's card is the one that was written", 0},
		{ids[5], "the mirror has no row although the lead is older than the last pass: somebody removed the row, or the portal did not show the lead to leadsync before", got[len(got)-1].Behind},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	h.wantEqual()
}

func TestPassRepeatsAStepThatFailsForAWhile(t *testing.T) {
	h := imported(t, 100)
	h.windowSize = 30
	h.alterRow(h.ids()[70], "TITLE", "altered")
	h.windows.Store(0)
	failures := 0
	h.beforeRead = func(page int) error {
		if page > 2 && failures < 8 {
			failures++
			return errors.New("the portal does not answer")
		}
		return nil
	}
	run := h.pass(leads.Run{Mode: leads.RunFull})
	if run.Stale != 1 || run.Scanned != 100 || failures != 8 {
		t.Errorf("after %d failures %+v", failures, run.Sums)
	}
}

func TestPassWithoutProgressGivesUp(t *testing.T) {
	h := imported(t, 100)
	h.beforeRead = func(int) error { return errors.New("the portal does not answer") }
	before := h.clock.Now()
	run, err := reconcile.Run(t.Context(), h.config(), h.request(leads.Run{Mode: leads.RunFull}))
	if err == nil || run.State != leads.RunIncomplete || run.Error == "" {
		t.Errorf("%v: %s", err, run.State)
	}
	if took := h.clock.Now().Sub(before); took < time.Hour || took > 2*time.Hour {
		t.Errorf("gave up after %s", took)
	}
}

func TestPassWaitsForAPortalThatRefusesAll(t *testing.T) {
	for _, code := range []string{"NO_AUTH_FOUND", "OVERLOAD_LIMIT"} {
		h := imported(t, 10)
		f := h.portal.Faults()
		f.Refuse = code
		h.portal.SetFaults(f)
		cfg, begun := h.config(), h.clock.Now()
		cfg.Wait = func(ctx context.Context, d time.Duration) error {
			if h.clock.Now().Sub(begun) > 3*time.Hour { // a person has mended it
				f.Refuse = ""
				h.portal.SetFaults(f)
			}
			return h.clock.Wait(ctx, d)
		}
		run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull}))
		if err != nil || run.State != leads.RunCompleted {
			t.Errorf("%s: %v, %s", code, err, run.State)
		}
		if took := h.clock.Now().Sub(begun); took < 3*time.Hour || took > 4*time.Hour {
			t.Errorf("%s: it took %s", code, took)
		}
	}
}

func TestFinalErrorsLeaveTheRunRunning(t *testing.T) {
	h := imported(t, 10)
	h.beforeRead = func(int) error { return leads.ErrUnauthorized }
	run, err := reconcile.Run(t.Context(), h.config(), h.request(leads.Run{Mode: leads.RunFull}))
	if err == nil || run.State != leads.RunRunning {
		t.Errorf("%v, %s", err, run.State)
	}
	h.beforeRead = nil
	h.takeOwnership()
	if run, err = reconcile.Run(t.Context(), h.config(), h.claim()); err != nil || run.State != leads.RunCompleted {
		t.Errorf("afterwards: %v, %s", err, run.State)
	}
}

func TestPausedPassStopsAtItsCheckpoint(t *testing.T) {
	h := imported(t, 100)
	h.windowSize = 30
	h.windows.Store(0)
	run := h.request(leads.Run{Mode: leads.RunFull})
	h.beforeRead = func(page int) error {
		if page == 3 { // the second is compared meanwhile
			if ok, err := h.db.StopRun(t.Context(), run.ID, leads.RunPaused, ""); err != nil || !ok {
				t.Errorf("pause: %v, %v", ok, err)
			}
		}
		return nil
	}
	got, err := reconcile.Run(t.Context(), h.config(), run)
	if err != nil || got.State != leads.RunPaused || got.Scanned != 60 {
		t.Fatalf("paused: %v, %+v", err, got)
	}
	if ok, err := h.db.ResumeRun(t.Context(), got); err != nil || !ok {
		t.Fatalf("resume: %v, %v", ok, err)
	}
	got, err = reconcile.Run(t.Context(), h.config(), h.claim())
	if err != nil || got.State != leads.RunCompleted || got.Scanned != 100 {
		t.Errorf("resumed: %v, %+v", err, got)
	}
}

// zonePortal is a portal that changes its zone before a window.
type zonePortal struct {
	*harness

	at int // the window
}

func (p zonePortal) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	page, err := p.harness.Changed(ctx, after, since)
	if int(p.windows.Load()) >= p.at {
		page.At = page.At.In(time.FixedZone("", 1*3600))
	}
	return page, err
}

// A changed pass asks by the portal's zone: where that changes, the pass starts again, also
// when the try that noticed fails.
func TestChangedPassStartsAgainInANewZone(t *testing.T) {
	h := imported(t, 100)
	h.advanceHours(1)
	ids := h.ids()
	for _, id := range ids {
		h.editInPortal(id, "edited")
	}
	h.advanceHours(1)
	h.windowSize = 30
	h.windows.Store(0)
	h.beforeRead = func(window int) error {
		if window == 3 {
			return errors.New("the portal does not answer")
		}
		return nil
	}
	cfg := h.config()
	cfg.Portal = zonePortal{h, 2}
	run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunChanged}))
	if err != nil || run.Scanned != 130 {
		t.Errorf("%+v, %v", run.Sums, err)
	}
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: ids})
	h.wantEqual()
}

// The portal's administrators set its clock back: what is changed from then on is dated before
// the last pass, and the next one finds it all the same.
func TestChangedPassFollowsAClockThatIsSetBack(t *testing.T) {
	for _, back := range []time.Duration{20 * time.Minute, 5 * time.Hour} {
		t.Run(back.String(), func(t *testing.T) {
			h := imported(t, 60)
			ids := h.ids()
			h.advanceHours(1)
			h.pass(leads.Run{Mode: leads.RunChanged})
			h.clock.Advance(5 * time.Minute)
			h.editInPortal(ids[0], "before the clock is set back")
			h.portalAhead.Store(-int64(back))
			h.editInPortal(ids[1], "after it was set back")
			h.clock.Advance(5 * time.Minute)
			log := &leadstest.Log{}
			cfg := h.config()
			cfg.Log = slog.New(slog.NewTextHandler(log, nil))
			run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunChanged}))
			if err != nil {
				t.Fatal(err)
			}
			// The other one is dated later than the portal's clock shows: it is repaired, and late.
			h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[1]}})
			h.wantEqual()
			h.clock.Advance(5 * time.Minute)
			if _, err = reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunChanged})); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(log.String(), "the portal's clock was set back"); n != 1 {
				t.Errorf("reported %d times, want once:\n%s", n, log)
			}
		})
	}
}
