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
