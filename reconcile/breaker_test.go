package reconcile_test

import (
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// deleteInPortal deletes leads in the portal.
func (h *harness) deleteInPortal(ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		if err := h.portal.Delete(id); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestTooManyDeletionsStopUntilAllowed(t *testing.T) {
	h := imported(t, 300)
	h.deleteInPortal(h.ids()[:120]...)
	asked := h.portal.Stats().Commands["crm.lead.get"]
	run := h.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 120 || !strings.Contains(run.Error, "--max-deletes 120") {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if n := h.portal.Stats().Commands["crm.lead.get"] - asked; n != 120 {
		t.Errorf("asked for %d", n)
	}
	if ids, err := h.db.Missing(t.Context(), h.member(), 1000); err != nil || len(ids) != 0 {
		t.Errorf("%d leads are to be asked for again, %v", len(ids), err)
	}
	h.advanceHours(1)
	if run = h.pass(leads.Run{Mode: leads.RunFull, MaxDeletes: 119}); run.Deleted != 0 {
		t.Errorf("119 were allowed, 120 needed: %+v", run.Sums)
	}
	if run = h.pass(leads.Run{Mode: leads.RunFull, MaxDeletes: 120}); run.Deleted != 120 || run.Error != "" {
		t.Errorf("allowed: %+v, %q", run.Sums, run.Error)
	}
	h.wantEqual()
	h.deleteInPortal(h.ids()[0])
	if b, err := h.db.Breaker(t.Context(), h.member()); err != nil || b.Limit != 100 {
		t.Errorf("the allowance outlives its run: %+v, %v", b, err)
	}
}

// A portal that once said "Not found" of many leads, and has them after all, must not keep
// deletions stopped.
func TestReturnedLeadsCloseTheBreaker(t *testing.T) {
	h := imported(t, 300)
	h.exec("UPDATE bitrix_leads SET absent_since = '2026-01-01T00:00:00.000Z' WHERE sql_ID IN (SELECT sql_ID FROM bitrix_leads LIMIT 120)")
	if b, err := h.db.Breaker(t.Context(), h.member()); err != nil || !b.Open() {
		t.Fatalf("before: %+v, %v", b, err)
	}
	if run := h.pass(leads.Run{Mode: leads.RunFull}); run.Unchanged != 300 || run.Found() != 0 || run.Repaired() != 0 {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if b, err := h.db.Breaker(t.Context(), h.member()); err != nil || b.Candidates != 0 {
		t.Errorf("after: %+v, %v", b, err)
	}
}

func TestPassAsksForNoMoreThanTheBreakerAllows(t *testing.T) {
	h := imported(t, 1000)
	ids := h.ids()
	h.deleteInPortal(ids[:600]...)
	asked := h.portal.Stats().Commands["crm.lead.get"]
	run := h.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 600 || run.Error == "" {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if n := h.portal.Stats().Commands["crm.lead.get"] - asked; n != 150 {
		t.Errorf("asked for %d, want three requests", n)
	}
	if dry := h.pass(leads.Run{Mode: leads.RunFull, DryRun: true}); dry.Phantom != 600 || dry.Error == "" {
		t.Errorf("dry: %+v, %q", dry.Sums, dry.Error)
	}
}

func TestLostPermissionsKeepTheRows(t *testing.T) {
	h := imported(t, 500)
	h.portal.SetFaults(emulator.Faults{Hidden: 0.5})
	run := h.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 0 || run.Unreadable < 200 || run.Unreadable+run.Scanned != 500 {
		t.Errorf("%+v", run.Sums)
	}
	if !strings.Contains(run.Error, "denies access to") {
		t.Errorf("alarm %q", run.Error)
	}
	h.portal.SetFaults(emulator.Faults{})
	h.wantEqual()
	if run = h.pass(leads.Run{Mode: leads.RunFull}); run.Found() != 0 || run.Error != "" {
		t.Errorf("afterwards: %+v, %q", run.Sums, run.Error)
	}
}
