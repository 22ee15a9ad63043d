package reconcile_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/events/eventstest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // hand edits

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
	"leadsync/repo"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "reconcile")
	if err != nil {
		panic(err)
	}
	templates.dir = dir
	if err := flag.Set("rapid.checks", "15"); err != nil { // unless the command line says otherwise
		panic(err)
	}
	goleak.VerifyTestMain(m, append(eventstest.Goroutines(), goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))...)
}

// templates are mirrors that were imported once, by number of leads: each test gets a
// copy.
var templates = struct {
	mu   sync.Mutex
	dir  string
	made map[int]bool
}{made: map[int]bool{}}

// grace is how long a lead must have been absent; no test waits for it.
const grace = time.Minute

// harness is an emulated portal and its mirror in SQLite, with all that a pass needs.
type harness struct {
	t         testing.TB
	portal    *emulator.Portal
	db        *repo.DB
	raw       *sql.DB // for changes behind the mirror's back
	clock     *leadstest.Clock
	client    *bitrix24.Client
	readOrder sync.Mutex
	tickets   *leads.Tickets

	beforeRead func(window int) error // called before each window is read; may be nil
	beforeAsk  func()                 // called before leads are read one by one; may be nil
	asked      func(leads int)        // called with their number; may be nil
	windows    atomic.Int64           // that were read
	windowSize int                    // the most leads of a window; 0 is what the portal shows
	unusable   map[int64]error        // leads whose answers cannot be used

	portalAhead atomic.Int64 // by how many nanoseconds the portal's clock is ahead of ours
}

// open opens a portal and an empty mirror.
func open(tb testing.TB, cfg emulator.Config) *harness {
	tb.Helper()
	return openFile(tb, cfg, filepath.Join(tb.TempDir(), "mirror.db"))
}

func openFile(tb testing.TB, cfg emulator.Config, file string) *harness {
	tb.Helper()
	h := &harness{t: tb, clock: leadstest.NewClock(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))}
	cfg.NoLimits, cfg.Seed = true, 6
	cfg.Now = func() time.Time { return h.clock.Now().Add(time.Duration(h.portalAhead.Load())) }
	b24 := emulatortest.New(tb, cfg)
	h.portal = b24.Portal
	h.client = bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(h.portal.Info().Webhook), HTTP: b24.HTTP(), Now: h.clock.Now, Wait: h.clock.Wait,
	}).In(bitrix24.Background) // as the service's passes
	h.db = h.database(file)
	if _, err := h.db.Adopt(tb.Context(), nil); err != nil {
		tb.Fatal(err)
	}
	if _, err := h.db.Refill(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	raw, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	h.raw = raw
	tb.Cleanup(func() { _ = h.raw.Close() })
	h.takeOwnership()
	return h
}

// solutionField is one that most of the emulator's leads have.
const solutionField = "UF_CRM_1387525788"

func (h *harness) database(file string) *repo.DB {
	h.t.Helper()
	db, err := repo.Open(h.t.Context(), repo.Config{URL: "sqlite:" + file, SolutionField: solutionField, Grace: grace, Now: h.clock.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = db.Close() })
	return db
}

// takeOwnership makes the test the portal's next owner.
func (h *harness) takeOwnership() {
	h.t.Helper()
	epoch, err := h.db.RaiseEpoch(h.t.Context(), h.member(), "test")
	if err != nil {
		h.t.Fatal(err)
	}
	h.tickets = leads.NewTickets(epoch)
}

func (h *harness) member() string { return h.portal.Info().MemberID }

// draw draws a ticket for a pass, as the service does.
func (h *harness) draw() leads.Ticket {
	h.readOrder.Lock()
	defer h.readOrder.Unlock()
	return h.tickets.Draw()
}

// Clock implements reconcile.Portal.
func (h *harness) Clock(ctx context.Context) (time.Time, error) { return h.client.Clock(ctx) }

// Scan implements reconcile.Portal as the service does.
func (h *harness) Scan(ctx context.Context, after int64, at reconcile.Steps) (leads.Page, error) {
	return h.limitWindow(func() (leads.Page, error) {
		return h.client.Leads().Answered(at.Answered).Scan(ctx, after, func() leads.Ticket {
			defer at.Drawn()
			return h.draw()
		})
	})
}

// Changed implements reconcile.Portal.
func (h *harness) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	return h.limitWindow(func() (leads.Page, error) { return h.client.Leads().Changed(ctx, after, since, h.draw) })
}

// IDs implements reconcile.Portal.
func (h *harness) IDs(ctx context.Context, after int64) (leads.Page, error) {
	return h.limitWindow(func() (leads.Page, error) { return h.client.Leads().IDs(ctx, after, h.draw) })
}

// limitWindow cuts a window to windowSize.
func (h *harness) limitWindow(read func() (leads.Page, error)) (leads.Page, error) {
	if n := int(h.windows.Add(1)); h.beforeRead != nil {
		if err := h.beforeRead(n); err != nil {
			return leads.Page{}, err
		}
	}
	page, err := read()
	h.spoil(page.Snapshots)
	if h.windowSize > 0 && err == nil && len(page.Snapshots) > h.windowSize {
		page.Snapshots = page.Snapshots[:h.windowSize]
		page.UpTo, page.Last, page.Newest = page.Snapshots[h.windowSize-1].LeadID, false, time.Time{}
	}
	return page, err
}

// Leads implements reconcile.Portal.
func (h *harness) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	if h.beforeAsk != nil {
		h.beforeAsk()
	}
	if h.asked != nil {
		h.asked(len(ids))
	}
	snaps, err := h.client.Hasty().Leads().Read(ctx, ids, h.tickets.Draw)
	h.spoil(snaps)
	return snaps, err
}

// spoil makes the answers of unusable leads what the client makes of them.
func (h *harness) spoil(snaps []leads.Snapshot) {
	for i := range snaps {
		if err := h.unusable[snaps[i].LeadID]; err != nil {
			snaps[i].Err, snaps[i].Lead = err, leads.Lead{ID: snaps[i].LeadID}
		}
	}
}

// Requests implements reconcile.Portal.
func (h *harness) Requests() int64 { return h.client.Requests() }

// Refused implements reconcile.Portal.
func (h *harness) Refused() int64 { return h.client.Refused() }

func (h *harness) config() reconcile.Config {
	return reconcile.Config{
		Portal: h, Mirror: h.db, Ledger: h.db, ReadOrder: &h.readOrder, Grace: grace, Wake: func() {},
		Now: h.clock.Now, Wait: h.clock.Wait, Log: leadstest.Silent(),
	}
}

// request asks for a run and claims it.
func (h *harness) request(run leads.Run) leads.Run {
	h.t.Helper()
	run.MemberID = h.member()
	if _, err := h.db.RequestRun(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
	return h.claim()
}

func (h *harness) claim() leads.Run {
	h.t.Helper()
	run, ok, err := h.db.ClaimRun(h.t.Context(), h.member())
	if err != nil || !ok {
		h.t.Fatalf("nothing to claim: %v", err)
	}
	return run
}

// pass runs a pass to its end.
func (h *harness) pass(run leads.Run) leads.Run {
	h.t.Helper()
	run, err := reconcile.Run(h.t.Context(), h.config(), h.request(run))
	if err != nil {
		h.t.Fatal(err)
	}
	if run.State != leads.RunCompleted {
		h.t.Fatalf("the pass ended as %s: %s", run.State, run.Error)
	}
	return run
}

// imported opens a portal with that many leads and a mirror that has imported them.
func imported(tb testing.TB, count int) *harness {
	tb.Helper()
	templates.mu.Lock()
	defer templates.mu.Unlock()
	template := filepath.Join(templates.dir, fmt.Sprintf("%d.db", count))
	if !templates.made[count] {
		h := openFile(tb, emulator.Config{Leads: count}, template)
		h.pass(leads.Run{Mode: leads.RunImport})
		h.wantEqual()
		if err := errors.Join(h.raw.Close(), h.db.Close()); err != nil { // the log goes into the file
			tb.Fatal(err)
		}
		templates.made[count] = true
	}
	content, err := os.ReadFile(template)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "mirror.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return openFile(tb, emulator.Config{Leads: count}, file)
}

// ids are the ids of the portal's leads.
func (h *harness) ids() []int64 {
	var ids []int64
	for id := range h.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

// exec changes the mirror behind our back.
func (h *harness) exec(statement string, args ...any) {
	h.t.Helper()
	if _, err := h.raw.ExecContext(h.t.Context(), statement, args...); err != nil {
		h.t.Fatalf("%s: %v", statement, err)
	}
}

// removeRow deletes a row behind our back.
func (h *harness) removeRow(id int64) {
	h.t.Helper()
	h.exec("DELETE FROM bitrix_leads WHERE sql_ID = ?", id)
	h.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = ?", id)
}

// alterRow changes one column of a row behind our back.
func (h *harness) alterRow(id int64, column, value string) {
	h.t.Helper()
	h.exec("UPDATE bitrix_leads SET sql_"+column+" = ? WHERE sql_ID = ?", value, id)
}

// emptySideTable deletes what a side table has of a lead behind our back.
func (h *harness) emptySideTable(id int64, table string) {
	h.t.Helper()
	column := map[string]string{"leadsync_phones": "lead_id", "leadsync_lead_fields": "lead_id", "bitrix_lead_solution": "sql_LEAD_ID"}[table]
	h.exec("DELETE FROM "+table+" WHERE "+column+" = ?", id)
}

// addPhantom copies a row under an id that the portal does not have.
func (h *harness) addPhantom(from, id int64) {
	h.t.Helper()
	rows, err := h.db.Range(h.t.Context(), h.member(), from-1, from, 1)
	if err != nil || len(rows) != 1 {
		h.t.Fatalf("row %d: %v", from, err)
	}
	h.exec(`INSERT INTO bitrix_leads (sql_ID, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json)
		SELECT ?, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json FROM bitrix_leads WHERE sql_ID = ?`, id, from)
}

// rows are the live rows.
func (h *harness) rows() map[int64]leads.Row {
	h.t.Helper()
	all := map[int64]leads.Row{}
	for after := int64(0); ; {
		rows, err := h.db.Range(h.t.Context(), h.member(), after, leads.MaxID, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, row := range rows {
			if !row.Deleted {
				all[row.LeadID] = row
			}
		}
		if len(rows) < 1000 {
			return all
		}
		after = rows[len(rows)-1].LeadID
	}
}

// firstDifference names one difference between portal and mirror; "" is none.
func (h *harness) firstDifference() string {
	h.t.Helper()
	rows := h.rows()
	for id, raw := range h.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			h.t.Fatal(err)
		}
		row, ok := rows[id]
		delete(rows, id)
		if !ok {
			return fmt.Sprintf("lead %d is not in the mirror", id)
		}
		if fields := row.Differences(&lead); len(fields) > 0 {
			return fmt.Sprintf("lead %d differs in %v", id, fields)
		}
	}
	for id := range rows {
		return fmt.Sprintf("the portal has no lead for row %d", id)
	}
	return ""
}

func (h *harness) wantEqual() {
	h.t.Helper()
	if difference := h.firstDifference(); difference != "" {
		h.t.Error(difference)
	}
}

// findings are the leads of a run's findings, by kind.
func (h *harness) findings(run leads.Run) map[leads.FindingKind][]int64 {
	h.t.Helper()
	list, err := h.db.Findings(h.t.Context(), run.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	found := map[leads.FindingKind][]int64{}
	for _, f := range list {
		found[f.Kind] = append(found[f.Kind], f.Ref.LeadID)
	}
	for _, ids := range found {
		slices.Sort(ids)
	}
	return found
}

// wantFindings wants a run to have found exactly these, and to have counted them.
func (h *harness) wantFindings(run leads.Run, want map[leads.FindingKind][]int64) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.findings(run)); diff != "" {
		h.t.Errorf("findings (-want +got):\n%s", diff)
	}
	counted := map[leads.FindingKind]int64{
		leads.FindingMissed: run.Missed, leads.FindingStale: run.Stale,
		leads.FindingPhantom: run.Phantom, leads.FindingUnreadable: run.Unreadable,
	}
	for kind, n := range counted {
		if n != int64(len(want[kind])) {
			h.t.Errorf("%d counted as %s, want %d", n, kind, len(want[kind]))
		}
	}
}
