package reconcile_test

import (
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// gone deletes leads in the portal.
func (g *ground) gone(ids ...int64) {
	g.t.Helper()
	for _, id := range ids {
		if err := g.portal.Delete(id); err != nil {
			g.t.Fatal(err)
		}
	}
}

func TestTooManyDeletionsAreStoppedUntilAllowed(t *testing.T) {
	g := filled(t, 300)
	g.gone(g.ids()[:120]...)
	asked := g.portal.Stats().Commands["crm.lead.get"]
	run := g.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 120 || !strings.Contains(run.Error, "--max-deletes 120") {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if n := g.portal.Stats().Commands["crm.lead.get"] - asked; n != 120 {
		t.Errorf("asked for %d", n)
	}
	if ids, err := g.db.Missing(t.Context(), g.member(), 1000); err != nil || len(ids) != 0 {
		t.Errorf("second looks at %d leads, %v", len(ids), err)
	}
	g.hours(1)
	if run = g.pass(leads.Run{Mode: leads.RunFull, MaxDeletes: 119}); run.Deleted != 0 {
		t.Errorf("119 were allowed, 120 needed: %+v", run.Sums)
	}
	if run = g.pass(leads.Run{Mode: leads.RunFull, MaxDeletes: 120}); run.Deleted != 120 || run.Error != "" {
		t.Errorf("allowed: %+v, %q", run.Sums, run.Error)
	}
	g.equal()
	g.gone(g.ids()[0])
	if b, err := g.db.Breaker(t.Context(), g.member()); err != nil || b.Limit != 100 {
		t.Errorf("the allowance outlives its run: %+v, %v", b, err)
	}
}

// A portal that once said "Not found" of many leads, and has them all the same, must not
// keep deletions stopped.
func TestLeadsThatAreBackCloseTheBreaker(t *testing.T) {
	g := filled(t, 300)
	g.exec("UPDATE bitrix_leads SET absent_since = '2026-01-01T00:00:00.000Z' WHERE sql_ID IN (SELECT sql_ID FROM bitrix_leads LIMIT 120)")
	if b, err := g.db.Breaker(t.Context(), g.member()); err != nil || !b.Open() {
		t.Fatalf("before: %+v, %v", b, err)
	}
	if run := g.pass(leads.Run{Mode: leads.RunFull}); run.Unchanged != 300 || run.Found() != 0 || run.Repaired() != 0 {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if b, err := g.db.Breaker(t.Context(), g.member()); err != nil || b.Candidates != 0 {
		t.Errorf("after: %+v, %v", b, err)
	}
}

func TestFarTooManyCandidatesAreNotAskedFor(t *testing.T) {
	g := filled(t, 1000)
	ids := g.ids()
	g.gone(ids[:600]...)
	asked := g.portal.Stats().Commands["crm.lead.get"]
	run := g.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 600 || run.Error == "" {
		t.Errorf("%+v, %q", run.Sums, run.Error)
	}
	if n := g.portal.Stats().Commands["crm.lead.get"] - asked; n != 150 {
		t.Errorf("asked for %d, want three requests", n)
	}
	if dry := g.pass(leads.Run{Mode: leads.RunFull, DryRun: true}); dry.Phantom != 600 || dry.Error == "" {
		t.Errorf("dry: %+v, %q", dry.Sums, dry.Error)
	}
}

func TestAPermissionShrinkKeepsTheRows(t *testing.T) {
	g := filled(t, 500)
	g.portal.SetFaults(emulator.Faults{Hidden: 0.5})
	run := g.pass(leads.Run{Mode: leads.RunFull})
	if run.Deleted != 0 || run.Phantom != 0 || run.Unreadable < 200 || run.Unreadable+run.Scanned != 500 {
		t.Errorf("%+v", run.Sums)
	}
	if !strings.Contains(run.Error, "denies access to") {
		t.Errorf("said %q", run.Error)
	}
	g.portal.SetFaults(emulator.Faults{})
	g.equal()
	if run = g.pass(leads.Run{Mode: leads.RunFull}); run.Found() != 0 || run.Error != "" {
		t.Errorf("afterwards: %+v, %q", run.Sums, run.Error)
	}
}
