package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

var scale = flag.Int("scale", 0, "leads of the sabotage test; 0 skips it, 100,000 is the size to judge by")

// TestSabotage changes rows of the mirror by hand, while leads of the portal go on changing under
// its limits, and checks that the pass finds exactly the damage.
func TestSabotage(t *testing.T) {
	if *scale == 0 {
		t.Skip("takes minutes: -scale says with how many leads")
	}
	p := startFullEmulator(t, emulator.Config{Leads: *scale, Seed: 6})
	s := startServe(t, p, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off"})
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	begun := time.Now()
	db := s.mirror(t)
	for end := begun.Add(20 * time.Minute); ; { // as long as a slow disk takes
		if run, ok, err := db.LastCompleted(t.Context(), s.member()); err != nil || time.Now().After(end) {
			t.Fatalf("not imported: %v", err)
		} else if ok && run.Mode == leads.RunImport {
			t.Logf("import: %+v; all requests: %v", run.Summary(), p.Stats().Requests)
			lists := float64((*scale + 2499) / 2500) // and the portal's time, its custom fields, the empty page at the end
			if limit := int64(1.05*lists) + 3; run.Requests > limit || len(p.Stats().Refusals) > 0 {
				t.Errorf("the import took %d requests, at most %d are allowed; refused: %v", run.Requests, limit, p.Stats().Refusals)
			}
			break
		}
		if err := retry.Wait(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if differ := s.differences(t, db); len(differ) > 0 {
		t.Fatalf("%d leads differ after the import", len(differ))
	}
	p.SetFaults(emulator.Faults{Hidden: 0.002})
	want, left := s.damage(t, *scale/20)
	p.Advance(time.Hour) // no limit is near, no lead is too young
	stop := s.changeLeads(t, left)
	code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--json", "--max-deletes", strconv.Itoa(*scale/10))
	stop()
	var sums leads.Summary
	if err := json.Unmarshal([]byte(stdout), &sums); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	t.Logf("%+v", sums)
	found, err := db.Findings(t.Context(), sums.Run)
	if err != nil {
		t.Fatal(err)
	}
	got := map[leads.FindingKind][]int64{}
	for _, f := range found {
		got[f.Kind] = append(got[f.Kind], f.Ref.LeadID)
	}
	for kind := range got {
		slices.Sort(got[kind])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if refused := p.Stats().Refusals; len(refused) != 0 || sums.Refused != 0 {
		t.Errorf("limits tripped: %v", refused)
	}
	candidates := len(want[leads.FindingPhantom]) + len(want[leads.FindingUnreadable])
	// Ten percent above the lists, the two that find the end, and candidates: all once,
	// phantoms twice, in parts that end with a window.
	lists := (*scale + 2499) / 2500
	most := int64(lists+lists/10) + 3 + int64(2*(candidates/50+1)+lists)
	if sums.Requests > most {
		t.Errorf("%d requests, want at most %d", sums.Requests, most)
	}
	p.SetFaults(emulator.Faults{})
	var differ []string
	for range 10 { // the last edits are on their way
		if differ = s.differences(t, db); len(differ) == 0 {
			return
		}
		if err := retry.Wait(t.Context(), 3*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%d leads differ, such as %v", len(differ), differ[:min(5, len(differ))])
}

// differences compares every field of every lead, range by range.
func (s *testServer) differences(t *testing.T, db *repo.DB) (differ []string) {
	t.Helper()
	rows := map[int64]leads.Row{}
	after := int64(0)
	next := func(upTo int64) {
		for after < upTo {
			list, err := db.Range(t.Context(), s.member(), after, leads.MaxID, 2500)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range list {
				if after = row.LeadID; !row.Deleted {
					rows[row.LeadID] = row
				}
			}
			if len(list) == 0 {
				after = leads.MaxID
			}
		}
	}
	for id, raw := range s.portal.Leads() {
		next(id)
		lead, err := leads.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		row, ok := rows[id]
		delete(rows, id)
		if !ok {
			differ = append(differ, fmt.Sprintf("%d is missing", id))
		} else if fields := row.Differences(&lead); len(fields) > 0 {
			differ = append(differ, fmt.Sprintf("%d in %v", id, fields))
		}
	}
	next(leads.MaxID)
	for id := range rows {
		differ = append(differ, fmt.Sprintf("%d is not a lead", id))
	}
	return differ
}

// damage changes the mirror by hand and returns what a pass must find, and the leads that it
// left alone.
func (s *testServer) damage(t *testing.T, each int) (want map[leads.FindingKind][]int64, left []int64) {
	t.Helper()
	var ids []int64
	for id := range s.portal.Leads() {
		ids = append(ids, id)
	}
	snaps, err := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(s.portal.Info().Webhook)}).
		Leads().Read(t.Context(), ids, leads.NewTickets(1).Draw)
	if err != nil {
		t.Fatal(err)
	}
	want = map[leads.FindingKind][]int64{}
	var seen []int64
	for _, snap := range snaps {
		if snap.Sight == leads.Denied {
			want[leads.FindingUnreadable] = append(want[leads.FindingUnreadable], snap.LeadID)
			continue
		}
		seen = append(seen, snap.LeadID)
	}
	rand.New(rand.NewPCG(6, 6)).Shuffle(len(seen), func(i, j int) { seen[i], seen[j] = seen[j], seen[i] })
	want[leads.FindingMissed], want[leads.FindingStale], left = seen[:each], seen[each:2*each], seen[2*each:]
	raw, err := sql.Open("sqlite", filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "leadsync.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	tx, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string, args ...any) {
		if _, err := tx.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	member := s.member() // without it each statement reads the whole table
	for _, id := range want[leads.FindingMissed] {
		exec("DELETE FROM bitrix_leads WHERE member_id = ? AND sql_ID = ?", member, id)
		exec("DELETE FROM bitrix_lead_contacts WHERE member_id = ? AND sql_LEAD_ID = ?", member, id)
	}
	for i, id := range want[leads.FindingStale] {
		exec("UPDATE bitrix_leads SET "+[]string{"sql_TITLE", "sql_STATUS_ID", "sql_LAST_NAME"}[i%3]+" = 'altered' WHERE member_id = ? AND sql_ID = ?", member, id)
	}
	last := ids[len(ids)-1]
	for i := range each {
		id := last + 1_000_000 + int64(i)
		exec(`INSERT INTO bitrix_leads (sql_ID, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json)
			SELECT ?, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json FROM bitrix_leads
			WHERE member_id = ? AND sql_ID = ?`, id, member, left[i])
		want[leads.FindingPhantom] = append(want[leads.FindingPhantom], id)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for kind := range want {
		slices.Sort(want[kind])
	}
	return want, left
}

// changeLeads edits and adds leads until it is stopped.
func (s *testServer) changeLeads(t *testing.T, ids []int64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; retry.Wait(ctx, 400*time.Millisecond) == nil; i++ {
			if i%10 == 0 {
				s.portal.Add(1)
				continue
			}
			if err := s.portal.Edit(ids[i%len(ids)], map[string]any{"TITLE": "edited " + strconv.Itoa(i)}); err != nil {
				t.Error(err)
			}
		}
	}()
	return func() { cancel(); <-done }
}
