package main

import (
	"maps"
	"strings"
	"testing"

	"leadsync/leads"
)

// A setting that is added later applies to all leads at the next start, and a command without
// it does not undo that.
func TestSolutionFieldSetLaterReachesAllLeads(t *testing.T) {
	t.Parallel()
	const field = "UF_CRM_1387525788"
	s := serveImported(t, 60, noPasses)
	want := 0
	for _, raw := range s.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := lead.Solution(field, leads.ScriptWidths()); text != "" {
			want++
		}
	}
	if got := s.countRows(t, "bitrix_lead_solution"); got != 0 || want < 10 {
		t.Fatalf("%d rows, of %d leads with a solution; none was asked for", got, want)
	}
	if code := s.stop(); code != exitOK {
		t.Fatalf("serve ended with %d", code)
	}
	more := maps.Clone(noPasses)
	more["LEADSYNC_DATA_DIR"], more["LEADSYNC_SOLUTION_FIELD"] = s.vars["LEADSYNC_DATA_DIR"], field
	late := startServe(t, s.portal, more)
	eventually(t, "the table is filled", func() bool { return s.countRows(t, "bitrix_lead_solution") == want })
	eventually(t, "the log says so", func() bool { return strings.Contains(late.log.String(), "bitrix_lead_solution") })
	if strings.Contains(late.log.String(), "have no custom field") {
		t.Errorf("the portal has the field: %s", late.log)
	}
	if code := late.stop(); code != exitOK {
		t.Fatalf("serve ended with %d", code)
	}
	code, _, stderr := command(t.Context(), t, s.vars, "reconcile")
	if code != exitUsage || !strings.Contains(stderr, "LEADSYNC_SOLUTION_FIELD") {
		t.Errorf("reconcile without the setting, exit %d: %s", code, stderr)
	}
	code, _, stderr = command(t.Context(), t, late.vars, "reconcile")
	if got := s.countRows(t, "bitrix_lead_solution"); code != exitOK || got != want {
		t.Errorf("reconcile with it, exit %d, %d rows of %d: %s", code, got, want, stderr)
	}
}

// Reports of the call centre show when leads were last listed and read.
func TestReadTimesAreStored(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 5, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off", "LEADSYNC_SOLUTION_FIELD": "UF_CRM_MISTYPED"})
	read := func(column string) (at string) {
		row := s.rawDB(t).QueryRowContext(t.Context(), "SELECT COALESCE(MAX("+column+"), '') FROM bitrix_lead_runtime")
		if err := row.Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	eventually(t, "leads were listed", func() bool { return read("lead_list_dt") != "" })
	listed := read("lead_list_dt")
	id, _ := s.portal.RandomID()
	if err := s.portal.Edit(id, map[string]any{"TITLE": "read"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a lead was read", func() bool { return read("lead_get_by_id_dt") != "" })
	if code, _, stderr := command(t.Context(), t, s.vars, "reconcile", "--changed"); code != exitOK || read("lead_list_dt") != listed {
		t.Errorf("a pass over a few, exit %d, counts as a list of all: %s", code, stderr)
	}
	if !strings.Contains(s.log.String(), "have no custom field") {
		t.Errorf("the log does not say that the field is unknown: %s", s.log)
	}
}

// countRows is the number of rows of a table.
func (s *testServer) countRows(t *testing.T, table string) (n int) {
	t.Helper()
	raw := s.rawDB(t)
	if err := raw.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
