package service

import (
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/events/spool"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// What a person reads at /readyz: that all is well, or what is missing, what happens meanwhile and where it says what to do.
func TestReadyzSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings  map[string]string
		component string // that is reported
		begins    string
		ends      string // the driver's words lie between
		status    int
	}{
		"ready": {nil, "status", "ready", "ready", http.StatusOK},
		"database missing": {
			map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:hunter2@127.0.0.1:1?database=oktell&dial+timeout=1"},
			"database", "starting, callbacks are kept meanwhile: read applied migrations: database unavailable: ", " (see docs/trouble.md#the-database)",
			http.StatusServiceUnavailable,
		},
		"NATS missing": {
			map[string]string{"LEADSYNC_NATS_URL": "nats://leadsync:hunter2@127.0.0.1:1"},
			"nats", "not connected to nats://127.0.0.1:1", "; callbacks are kept in the spool until it is back (see docs/trouble.md#nats)",
			http.StatusServiceUnavailable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPagesWith(t, 1, test.settings)
			var status int
			var words map[string]string
			p.until("nothing else is missing", func() bool { // at first everything starts
				if p.service.ready.databaseProblem() != "" && p.service.ready.waitsFor.Load() == nil {
					return false
				}
				var text string
				status, text = p.answer(http.Get(p.admin + "/readyz"))
				words = nil
				if err := json.Unmarshal([]byte(text), &words); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
				return slices.Equal(slices.Collect(maps.Keys(words)), []string{test.component})
			})
			got := words[test.component]
			if status != test.status || !strings.HasPrefix(got, test.begins) || !strings.HasSuffix(got, test.ends) || strings.Contains(got, "hunter2") {
				t.Errorf("answered %d %q, want %q … %q", status, got, test.begins, test.ends)
			}
		})
	}
}

// Tables that a first start is making are not a database that a person has to migrate.
func TestReadyzOfAFirstStartSaysThatItStarts(t *testing.T) {
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	intake := &events.Intake{}
	for _, to := range []**spool.Spool{&intake.Verified, &intake.Unverified} {
		s, err := spool.Open(spool.Config{Dir: t.TempDir(), Log: leadstest.Silent()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		*to = s
	}
	r := &readiness{db: db, nats: &NATS{}, intake: intake, tables: &tables{}, started: make(chan struct{})}
	want := map[string]string{
		"database": "starting: its tables are not up to date yet; the log says what it waits for",
		"nats":     "starting: callbacks are kept in the spool until it is ready; the log says what it waits for",
	}
	if got := r.problems(t.Context()); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	r.tables.making.Store(&repo.Making{Name: "00002_mirror.sql", Step: 2, Of: 7})
	db.Close() // the server may let nobody read what it changes
	want["database"] = "starting, callbacks are kept meanwhile: making the tables, 00002_mirror.sql (2 of 7)"
	if got := r.problems(t.Context()); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What keeps the streams from being set up is at /readyz, not in the log alone.
func TestReadyzSaysWhyStreamsAreMissing(t *testing.T) {
	t.Parallel()
	opts := eventstest.Options(t)
	opts.MaxPayload = 4096
	small := eventstest.Run(t, opts)[0].ClientURL()
	opts = eventstest.Options(t)
	opts.Users = []*server.User{{Username: "u", Password: "hunter2", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.CREATE.>"}}}}}
	denied := eventstest.Run(t, opts)[0].ClientURL()
	for want, settings := range map[string]map[string]string{
		"its streams cannot be used: callbacks are kept in the spool (the NATS server takes messages of up to 4096 bytes": {"LEADSYNC_NATS_URL": small},
		"the server does not let leadsync's user do what it needs (Permissions Violation for Publish to":                  {"LEADSYNC_NATS_URL": denied, "LEADSYNC_NATS_USER": "u", "LEADSYNC_NATS_PASSWORD": "hunter2"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			p := openPagesWith(t, 1, settings)
			p.until("it says why", func() bool { return strings.HasPrefix(p.service.ready.natsProblem(), want) })
		})
	}
}
