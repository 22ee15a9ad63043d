package reconcile_test

import (
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo/repotest"
)

// After one pass over an Oktell database, as Oktell's scenario left it, its rows equal the
// portal's leads, each at its first revision.
func TestFullPassRepairsAdoptedDatabase(t *testing.T) {
	const rows = 300
	file := filepath.Join(t.TempDir(), "oktell.db")
	repotest.Oktell(t, "sqlite:"+file, rows)
	h := openFile(t, emulator.Config{Leads: 280}, file)
	found := map[leads.FindingKind][]int64{}
	shown := map[int64]bool{}
	for _, id := range h.ids() {
		shown[id] = true
		kind := leads.FindingStale
		if id > rows {
			kind = leads.FindingMissed
		}
		found[kind] = append(found[kind], id)
	}
	for id := int64(1); id <= rows; id++ {
		if !shown[id] {
			found[leads.FindingPhantom] = append(found[leads.FindingPhantom], id)
		}
	}
	if len(found[leads.FindingStale]) == 0 || len(found[leads.FindingPhantom]) == 0 {
		t.Fatalf("stale %d, phantom %d: the test would show nothing", len(found[leads.FindingStale]), len(found[leads.FindingPhantom]))
	}
	run := h.pass(leads.Run{Mode: leads.RunFull})
	h.wantFindings(run, found)
	h.wantEqual()
	noted, err := h.db.Findings(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range noted { // no event was missed: nobody listened
		if f.Kind == leads.FindingStale && (!strings.Contains(f.Cause, "taken over") || f.Behind != 0) {
			t.Errorf("lead %d: %s, behind %s", f.Ref.LeadID, f.Cause, f.Behind)
		}
	}
	for _, id := range found[leads.FindingStale] {
		row, ok, err := h.db.Row(t.Context(), leads.Ref{MemberID: h.member(), LeadID: id})
		if err != nil || !ok || row.Revision != 1 || len(row.Raw) == 0 {
			t.Fatalf("row %d: revision %d, %d bytes of raw_json (%v)", id, row.Revision, len(row.Raw), err)
		}
	}
	if again := h.pass(leads.Run{Mode: leads.RunFull}); again.Found() != 0 || again.Repaired() != 0 {
		t.Errorf("a second pass: %+v", again.Sums)
	}
}

// The first pass over an adopted database may be the import.
func TestImportRepairsAdoptedDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "oktell.db")
	repotest.Oktell(t, "sqlite:"+file, 40)
	h := openFile(t, emulator.Config{Leads: 60}, file)
	h.pass(leads.Run{Mode: leads.RunImport})
	h.wantEqual()
}
