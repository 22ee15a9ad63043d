package reconcile_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // hand edits

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
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
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// templates are mirrors that were imported once, by number of leads: each test gets a
// copy.
var templates = struct {
	sync.Mutex
	dir  string
	made map[int]bool
}{made: map[int]bool{}}

// grace is how long a lead must have been absent; no test waits for it.
const grace = time.Minute

// clock is a hand-driven clock, safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Wait lets the time pass at once.
func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// direct carries requests to a portal in the same process, without a socket.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() == http.ErrAbortHandler { //nolint:errorlint // it is what was panicked with
			resp, err = nil, errors.New("the connection broke")
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// ground is an emulated portal and a mirror of it in SQLite, with all that a pass needs.
type ground struct {
	t       testing.TB
	portal  *emulator.Portal
	db      *repo.DB
	raw     *sql.DB // the way past the mirror
	clock   *clock
	client  *bitrix24.Client
	turn    sync.Mutex
	tickets *leads.Tickets
	scanned func(page int) error // called before each stretch is read; nil is nothing
	pages   int
	asking  func() // called before leads are asked for one by one; nil is nothing
	stretch int    // the most leads of a stretch; 0 is what the portal shows
}

// open makes a portal with that many leads and an empty mirror.
func open(tb testing.TB, cfg emulator.Config) *ground {
	tb.Helper()
	return openFile(tb, cfg, filepath.Join(tb.TempDir(), "mirror.db"))
}

func openFile(tb testing.TB, cfg emulator.Config, file string) *ground {
	tb.Helper()
	g := &ground{t: tb, clock: &clock{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}}
	cfg.NoLimits, cfg.Now, cfg.Seed = true, g.clock.Now, 6
	cfg.PortalAddr, cfg.OAuthAddr = "portal.example.com", "oauth.example.com"
	p, err := emulator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	g.portal = p
	g.client = bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(p.Info().Webhook), HTTP: &http.Client{Transport: direct{p.Handler()}}, Now: g.clock.Now, Wait: g.clock.Wait,
	}).In(bitrix24.Background) // as the service's passes
	g.db = g.database(file)
	if _, err := g.db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if _, err := g.db.Refill(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if g.raw, err = sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = g.raw.Close() })
	g.own()
	return g
}

// solutionField is one that most of the emulator's leads have.
const solutionField = "UF_CRM_1387525788"

func (g *ground) database(file string) *repo.DB {
	g.t.Helper()
	db, err := repo.Open(g.t.Context(), repo.Config{URL: "sqlite:" + file, SolutionField: solutionField, Grace: grace, Now: g.clock.Now})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = db.Close() })
	return db
}

// own makes the test the portal's next owner.
func (g *ground) own() {
	g.t.Helper()
	epoch, err := g.db.RaiseEpoch(g.t.Context(), g.member(), "test")
	if err != nil {
		g.t.Fatal(err)
	}
	g.tickets = leads.NewTickets(epoch)
}

func (g *ground) member() string { return g.portal.Info().MemberID }

// draw is how the service draws a pass's tickets.
func (g *ground) draw() leads.Ticket {
	g.turn.Lock()
	defer g.turn.Unlock()
	return g.tickets.Draw()
}

// Clock implements reconcile.Portal.
func (g *ground) Clock(ctx context.Context) (time.Time, error) { return g.client.Clock(ctx) }

// Scan implements reconcile.Portal as the service does.
func (g *ground) Scan(ctx context.Context, after int64) (leads.Page, error) {
	return g.cut(func() (leads.Page, error) { return g.client.Leads().Scan(ctx, after, g.draw) })
}

// Changed implements reconcile.Portal.
func (g *ground) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	return g.cut(func() (leads.Page, error) { return g.client.Leads().Changed(ctx, after, since, g.draw) })
}

// IDs implements reconcile.Portal.
func (g *ground) IDs(ctx context.Context, after int64) (leads.Page, error) {
	return g.cut(func() (leads.Page, error) { return g.client.Leads().IDs(ctx, after, g.draw) })
}

// cut makes stretches short where the test wants many of a few leads.
func (g *ground) cut(read func() (leads.Page, error)) (leads.Page, error) {
	if g.pages++; g.scanned != nil {
		if err := g.scanned(g.pages); err != nil {
			return leads.Page{}, err
		}
	}
	page, err := read()
	if g.stretch > 0 && err == nil && len(page.Snapshots) > g.stretch {
		page.Snapshots = page.Snapshots[:g.stretch]
		page.UpTo, page.Last, page.Newest = page.Snapshots[g.stretch-1].LeadID, false, time.Time{}
	}
	return page, err
}

// Leads implements reconcile.Portal.
func (g *ground) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	if g.asking != nil {
		g.asking()
	}
	return g.client.Hasty().Leads().Read(ctx, ids, g.tickets.Draw)
}

// Requests implements reconcile.Portal.
func (g *ground) Requests() int64 { return g.client.Requests() }

// Refused implements reconcile.Portal.
func (g *ground) Refused() int64 { return g.client.Refused() }

func (g *ground) config() reconcile.Config {
	return reconcile.Config{
		Portal: g, Mirror: g.db, Ledger: g.db, Turn: &g.turn, Grace: grace, Wake: func() {},
		Now: g.clock.Now, Wait: g.clock.Wait, Log: slog.New(slog.DiscardHandler),
	}
}

// request asks for a run and claims it.
func (g *ground) request(run leads.Run) leads.Run {
	g.t.Helper()
	run.MemberID = g.member()
	if _, err := g.db.RequestRun(g.t.Context(), run); err != nil {
		g.t.Fatal(err)
	}
	return g.claim()
}

func (g *ground) claim() leads.Run {
	g.t.Helper()
	run, ok, err := g.db.ClaimRun(g.t.Context(), g.member())
	if err != nil || !ok {
		g.t.Fatalf("nothing to claim: %v", err)
	}
	return run
}

// pass runs a pass to its end.
func (g *ground) pass(run leads.Run) leads.Run {
	g.t.Helper()
	run, err := reconcile.Run(g.t.Context(), g.config(), g.request(run))
	if err != nil {
		g.t.Fatal(err)
	}
	if run.State != leads.RunCompleted {
		g.t.Fatalf("the pass is %s: %s", run.State, run.Error)
	}
	return run
}

// filled opens a ground whose mirror has been imported.
func filled(tb testing.TB, count int) *ground {
	tb.Helper()
	templates.Lock()
	defer templates.Unlock()
	template := filepath.Join(templates.dir, fmt.Sprintf("%d.db", count))
	if !templates.made[count] {
		g := openFile(tb, emulator.Config{Leads: count}, template)
		g.pass(leads.Run{Mode: leads.RunImport})
		g.equal()
		if err := errors.Join(g.raw.Close(), g.db.Close()); err != nil { // the log goes into the file
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
func (g *ground) ids() []int64 {
	var ids []int64
	for id := range g.portal.Leads() {
		ids = append(ids, id)
	}
	return ids
}

// exec changes the mirror behind our back.
func (g *ground) exec(statement string, args ...any) {
	g.t.Helper()
	if _, err := g.raw.ExecContext(g.t.Context(), statement, args...); err != nil {
		g.t.Fatalf("%s: %v", statement, err)
	}
}

// remove deletes a row behind our back.
func (g *ground) remove(id int64) {
	g.t.Helper()
	g.exec("DELETE FROM bitrix_leads WHERE sql_ID = ?", id)
	g.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = ?", id)
}

// alter changes one column of a row behind our back.
func (g *ground) alter(id int64, column, value string) {
	g.t.Helper()
	g.exec("UPDATE bitrix_leads SET sql_"+column+" = ? WHERE sql_ID = ?", value, id)
}

// thin deletes what a side table has of a lead behind our back.
func (g *ground) thin(id int64, table string) {
	g.t.Helper()
	column := map[string]string{"leadsync_phones": "lead_id", "leadsync_lead_fields": "lead_id", "bitrix_lead_solution": "sql_LEAD_ID"}[table]
	g.exec("DELETE FROM "+table+" WHERE "+column+" = ?", id)
}

// phantom copies a row under an id that the portal does not have.
func (g *ground) phantom(from, id int64) {
	g.t.Helper()
	rows, err := g.db.Range(g.t.Context(), g.member(), from-1, from, 1)
	if err != nil || len(rows) != 1 {
		g.t.Fatalf("row %d: %v", from, err)
	}
	g.exec(`INSERT INTO bitrix_leads (sql_ID, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json)
		SELECT ?, sql_TITLE, member_id, read_at, read_ticket, revision, row_hash, raw_json FROM bitrix_leads WHERE sql_ID = ?`, id, from)
}

// mirror are the live rows.
func (g *ground) mirror() map[int64]leads.Row {
	g.t.Helper()
	all := map[int64]leads.Row{}
	for after := int64(0); ; {
		rows, err := g.db.Range(g.t.Context(), g.member(), after, leads.MaxID, 1000)
		if err != nil {
			g.t.Fatal(err)
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

// differs says in words what of the portal the mirror does not show; "" is equal.
func (g *ground) differs() string {
	g.t.Helper()
	rows := g.mirror()
	for id, raw := range g.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			g.t.Fatal(err)
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
		return fmt.Sprintf("row %d is no lead", id)
	}
	return ""
}

func (g *ground) equal() {
	g.t.Helper()
	if words := g.differs(); words != "" {
		g.t.Error(words)
	}
}

// named are a run's findings: kind, lead, fields.
func (g *ground) named(run leads.Run) map[leads.FindingKind][]int64 {
	g.t.Helper()
	list, err := g.db.Findings(g.t.Context(), run.ID)
	if err != nil {
		g.t.Fatal(err)
	}
	named := map[leads.FindingKind][]int64{}
	for _, f := range list {
		named[f.Kind] = append(named[f.Kind], f.Ref.LeadID)
	}
	for _, ids := range named {
		slices.Sort(ids)
	}
	return named
}

// found wants a run to have found exactly these, and to have counted them.
func (g *ground) found(run leads.Run, want map[leads.FindingKind][]int64) {
	g.t.Helper()
	if diff := cmp.Diff(want, g.named(run)); diff != "" {
		g.t.Errorf("findings (-want +got):\n%s", diff)
	}
	counted := map[leads.FindingKind]int64{
		leads.FindingMissed: run.Missed, leads.FindingStale: run.Stale,
		leads.FindingPhantom: run.Phantom, leads.FindingUnreadable: run.Unreadable,
	}
	for kind, n := range counted {
		if n != int64(len(want[kind])) {
			g.t.Errorf("%d counted as %s, want %d", n, kind, len(want[kind]))
		}
	}
}
