package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/reconcile"
)

func TestImportCopiesThePortal(t *testing.T) {
	for _, count := range []int{0, 1, 49, 50, 51, 2500, 2501} {
		h := open(t, emulator.Config{Leads: count})
		run := h.pass(leads.Run{Mode: leads.RunImport})
		h.wantEqual()
		if run.Inserted != int64(count) || run.Scanned != int64(count) || len(h.findings(run)) != 0 {
			t.Errorf("%d leads: %+v", count, run.Sums)
		}
	}
}

func TestFullPassFindsExactlyWhatDiffers(t *testing.T) {
	h := imported(t, 300)
	ids := h.ids()
	h.removeRow(ids[0])
	h.removeRow(ids[150])
	h.alterRow(ids[10], "TITLE", "altered by hand")
	h.alterRow(ids[299], "STATUS_ID", "X")
	h.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = ?", withPhone(t, h, ids[20:]))
	last := ids[len(ids)-1]
	h.addPhantom(ids[30], last+1)
	h.addPhantom(ids[31], last+2)
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, map[leads.FindingKind][]int64{
		leads.FindingMissed: {ids[0], ids[150]}, leads.FindingStale: {ids[10], withPhone(t, h, ids[20:]), ids[299]},
		leads.FindingPhantom: {last + 1, last + 2},
	})
	if run.Inserted != 2 || run.Updated != 3 || run.Deleted != 2 || run.Scanned != 300 || run.Unchanged != 295 {
		t.Errorf("sums %+v", run.Sums)
	}
	h.wantEqual()
	if again := h.pass(leads.Run{Mode: leads.RunFull}); again.Found() != 0 || again.Repaired() != 0 || again.Unchanged != 300 {
		t.Errorf("a second pass: %+v", again.Sums)
	}
}

// withPhone is the first of the leads that has a phone.
func withPhone(t *testing.T, h *harness, ids []int64) int64 {
	t.Helper()
	for id, raw := range h.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if id >= ids[0] && len(lead.Contacts) > 0 {
			return id
		}
	}
	t.Fatal("no lead has a phone")
	return 0
}

func TestPassFindsWhatSideTablesLack(t *testing.T) {
	h := imported(t, 50)
	rows, ids := h.rows(), h.ids()
	want := map[int64][]string{}
	for i, table := range []string{"leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution"} {
		for _, id := range ids[10*i : 10*i+10] {
			sides := rows[id].Sides
			switch {
			case i == 0 && len(sides.Phones) > 0:
				want[id] = []string{"PHONE"}
			case i == 1 && len(sides.Fields) > 0:
				for _, v := range sides.Fields {
					want[id] = append(want[id], v.Field)
				}
				want[id] = slices.Compact(want[id])
			case i == 2 && len(sides.Solutions) > 0:
				want[id] = []string{solutionField}
			}
			h.emptySideTable(id, table)
		}
	}
	run := h.pass(leads.Run{Mode: leads.RunFull})
	list, err := h.db.Findings(t.Context(), run.ID)
	got := map[int64][]string{}
	for _, f := range list {
		if got[f.Ref.LeadID] = f.Fields; f.Kind != leads.FindingStale || f.Repaired != leads.Updated || f.Cause == "" {
			t.Errorf("lead %d: %s, %s, cause %q", f.Ref.LeadID, f.Kind, f.Repaired, f.Cause)
		}
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(want) < 10 {
		t.Errorf("%d findings, %v (-want +got):\n%s", len(want), err, diff)
	}
	h.wantEqual()
}

func TestPassFindsAHandEditBehindARightHash(t *testing.T) {
	h := imported(t, 3)
	id := h.ids()[1]
	h.alterRow(id, "LAST_NAME", "Mallory")
	run := h.pass(leads.Run{Mode: leads.RunFull})
	list, err := h.db.Findings(t.Context(), run.ID)
	if err != nil || len(list) != 1 {
		t.Fatalf("findings %v, %v", list, err)
	}
	if diff := cmp.Diff([]string{"LAST_NAME"}, list[0].Fields); diff != "" || list[0].Repaired != leads.Updated {
		t.Errorf("repaired %s, fields (-want +got):\n%s", list[0].Repaired, diff)
	}
	h.wantEqual()
}

func TestDryRunWritesOnlyFindings(t *testing.T) {
	h := imported(t, 120)
	ids := h.ids()
	h.removeRow(ids[5])
	h.alterRow(ids[6], "TITLE", "altered")
	h.addPhantom(ids[7], ids[119]+1)
	before := h.rows()
	run := h.pass(leads.Run{Mode: leads.RunFull, DryRun: true})
	h.wantFindings(run, map[leads.FindingKind][]int64{
		leads.FindingMissed: {ids[5]}, leads.FindingStale: {ids[6]}, leads.FindingPhantom: {ids[119] + 1},
	})
	if run.Repaired() != 0 {
		t.Errorf("repaired: %+v", run.Sums)
	}
	if diff := cmp.Diff(before, h.rows()); diff != "" {
		t.Errorf("the mirror has changed:\n%s", diff)
	}
}

func TestDeniedLeadsStay(t *testing.T) {
	h := imported(t, 200)
	h.portal.SetFaults(emulator.Faults{Hidden: 0.05})
	snaps, err := h.Leads(t.Context(), h.ids())
	if err != nil {
		t.Fatal(err)
	}
	var hidden []int64
	for _, s := range snaps {
		if s.Sight == leads.Denied {
			hidden = append(hidden, s.LeadID)
		}
	}
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingUnreadable: hidden})
	h.portal.SetFaults(emulator.Faults{})
	h.wantEqual()
}

func TestPassAsksTwiceForADeletedLead(t *testing.T) {
	h := imported(t, 60)
	id := h.ids()[3]
	if err := h.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	gone := h.portal.Stats().Commands["crm.lead.get"]
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingPhantom: {id}})
	if n := h.portal.Stats().Commands["crm.lead.get"] - gone; n != 2 || run.Deleted != 1 {
		t.Errorf("asked %d times, %d deleted", n, run.Deleted)
	}
	h.wantEqual()
}

func TestStoppedPassContinuesAtItsCheckpoint(t *testing.T) {
	h := imported(t, 600)
	h.windowSize = 250
	ids := h.ids()
	for _, i := range []int{1, 260, 599} {
		h.alterRow(ids[i], "TITLE", "altered")
	}
	ctx, stop := context.WithCancel(t.Context())
	h.windows.Store(0)
	h.beforeRead = func(page int) error {
		if page == 3 { // the second is being written meanwhile
			stop()
		}
		return nil
	}
	run, err := reconcile.Run(ctx, h.config(), h.request(leads.Run{Mode: leads.RunFull}))
	if !errors.Is(err, context.Canceled) || run.Finished() {
		t.Fatalf("stopped: %v, %s", err, run.State)
	}
	if last, ok, err := h.db.LastCompleted(t.Context(), h.member()); err != nil || !ok || last.ID == run.ID {
		t.Errorf("a stopped pass counts as completed: %v, %v", ok, err)
	}
	h.beforeRead = nil
	h.takeOwnership()
	resumed := h.claim()
	if resumed.ID != run.ID || resumed.Checkpoint != ids[249] || resumed.Scanned != 250 || resumed.Stale != 1 {
		t.Errorf("continued at %d with %+v", resumed.Checkpoint, resumed.Sums)
	}
	run, err = reconcile.Run(t.Context(), h.config(), resumed)
	if err != nil {
		t.Fatal(err)
	}
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[1], ids[260], ids[599]}})
	if run.Scanned != 600 {
		t.Errorf("scanned %d in both parts", run.Scanned)
	}
	h.wantEqual()
}

func TestPassThatGivesUpIsIncomplete(t *testing.T) {
	h := imported(t, 10)
	h.beforeRead = func(int) error { return leads.ErrRefused } // the call itself is wrong
	run, err := reconcile.Run(t.Context(), h.config(), h.request(leads.Run{Mode: leads.RunFull}))
	if err == nil || run.State != leads.RunIncomplete || run.Error == "" {
		t.Fatalf("%v: %s %q", err, run.State, run.Error)
	}
	if last, _, err := h.db.LastCompleted(t.Context(), h.member()); err != nil || last.ID == run.ID {
		t.Errorf("an incomplete pass counts as completed: %v", err)
	}
}

// Where leads are added faster than a pass reads, it ends at the first one that was created
// after the pass began.
func TestPassEndsWhileLeadsAreAdded(t *testing.T) {
	for _, mode := range []leads.RunMode{leads.RunFull, leads.RunIDs, leads.RunChanged} {
		t.Run(string(mode), func(t *testing.T) {
			h := imported(t, 120)
			ids := h.ids()
			h.removeRow(ids[119])
			h.addPhantom(ids[7], ids[119]+1_000)
			h.windows.Store(0)
			h.beforeRead = func(page int) error {
				if page > 10 {
					t.Error("the pass follows new leads for ever")
					return leads.ErrRefused
				}
				h.clock.Advance(5 * time.Second)
				h.portal.Add(2)
				return nil
			}
			run := h.pass(leads.Run{Mode: mode})
			if mode != leads.RunChanged && (run.Missed != 1 || run.Phantom != 1 || run.Inserted < 2) {
				t.Errorf("%+v", run.Sums)
			}
		})
	}
}

// A portal may show short pages before its end: only an empty one is the end.
func TestShortPagesAreNotTheEnd(t *testing.T) {
	h := imported(t, 400)
	ids := h.ids()
	for _, i := range []int{100, 101, 399} {
		h.alterRow(ids[i], "TITLE", "altered")
	}
	h.windowSize = 7
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, map[leads.FindingKind][]int64{leads.FindingStale: {ids[100], ids[101], ids[399]}})
	if run.Scanned != 400 {
		t.Errorf("scanned %d", run.Scanned)
	}
}
