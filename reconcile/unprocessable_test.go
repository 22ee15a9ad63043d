package reconcile_test

import (
	"errors"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// A lead whose answer cannot be used is named by every pass, keeps its row, and keeps
// nothing else from being repaired.
func TestUnusableAnswersAreFindingsOfTheirOwn(t *testing.T) {
	for _, mode := range []leads.RunMode{leads.RunImport, leads.RunFull} {
		t.Run(string(mode), func(t *testing.T) {
			h := open(t, emulator.Config{Leads: 120})
			if mode == leads.RunFull {
				h.pass(leads.Run{Mode: leads.RunImport})
			}
			ids := h.ids()
			bad, other := ids[7], ids[60]
			h.unusable = map[int64]error{bad: errors.New("the answer is empty")}
			if err := h.portal.Edit(other, map[string]any{"TITLE": "repaired all the same"}); err != nil {
				t.Fatal(err)
			}
			run := h.pass(leads.Run{Mode: mode})
			if run.State != leads.RunCompleted || run.Unprocessable != 1 || run.Phantom != 0 {
				t.Errorf("%+v", run)
			}
			found, err := h.db.Findings(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			named := 0
			for _, f := range found {
				if f.Ref.LeadID == bad {
					if named++; f.Kind != leads.FindingUnprocessable || !strings.Contains(f.Cause, "the answer is empty") {
						t.Errorf("finding %+v", f)
					}
				}
			}
			if named != 1 {
				t.Errorf("%d findings of the lead", named)
			}
			row, ok, err := h.db.Row(t.Context(), leads.Ref{MemberID: h.member(), LeadID: bad})
			if err != nil || ok != (mode == leads.RunFull) || row.Deleted {
				t.Errorf("row %v, deleted %v, %v", ok, row.Deleted, err)
			}
			row, ok, err = h.db.Row(t.Context(), leads.Ref{MemberID: h.member(), LeadID: other})
			if err != nil || !ok || !strings.Contains(string(row.Raw), "repaired all the same") {
				t.Errorf("the other lead: %v, %v", ok, err)
			}
		})
	}
}

// A lead that fails in every pass has one row in bitrix_import_lead_error, with the newest time.
func TestALeadThatFailsInEveryPassHasOneFailureRow(t *testing.T) {
	h := imported(t, 20)
	h.unusable = map[int64]error{h.ids()[7]: errors.New("the answer is empty")}
	for range 3 {
		h.advanceHours(1)
		if run := h.pass(leads.Run{Mode: leads.RunFull}); run.Unprocessable != 1 {
			t.Errorf("%+v", run.Sums)
		}
	}
	var rows int
	var last string
	if err := h.raw.QueryRowContext(t.Context(), "SELECT COUNT(*), MAX(sql_date_error) FROM bitrix_import_lead_error").Scan(&rows, &last); err != nil {
		t.Fatal(err)
	}
	if want := h.clock.Now().Format(leads.WallClock); rows != 1 || last != want {
		t.Errorf("%d rows, the last of %s; want one of %s", rows, last, want)
	}
}

// Leads that the portal did not show at the import, and shows later, were perhaps not removed
// by anybody: the cause says so.
func TestLeadsThatBecomeReadableAreNotCalledRemoved(t *testing.T) {
	h := open(t, emulator.Config{Leads: 60})
	h.portal.SetFaults(emulator.Faults{Hidden: 0.2})
	h.pass(leads.Run{Mode: leads.RunImport})
	had := len(h.rows())
	h.portal.SetFaults(emulator.Faults{})
	h.advanceHours(1)
	run := h.pass(leads.Run{Mode: leads.RunFull})
	found, err := h.db.Findings(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if had >= 60 || len(found) != 60-had {
		t.Fatalf("%d findings, %d leads were shown before", len(found), had)
	}
	for _, f := range found {
		if f.Kind != leads.FindingMissed || !strings.Contains(f.Cause, "or the portal did not show the lead to leadsync before") {
			t.Errorf("%+v", f)
		}
	}
	h.wantEqual()
}
