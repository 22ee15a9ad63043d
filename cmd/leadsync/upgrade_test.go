package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// editsPerStep is how many leads are edited before, while and after a replica is replaced.
const editsPerStep = 10

// rolling are two replicas on one database and one NATS server. Nothing but callbacks tells them of
// changes, so a callback that an upgrade loses is seen.
type rolling struct {
	t        *testing.T
	portal   *emulator.Portal
	db       *repo.DB
	balancer *balancer
	file     string // of the database
	edits    int
}

// TestRollingUpgrade replaces the replicas of a service one after the other by those of a newer
// version, while leads are edited, and then goes back. LEADSYNC_TEST_OLD is the program of the
// older version; without it both are this build, and the newer one is a database with a migration
// that this build does not know, as an older program sees it.
func TestRollingUpgrade(t *testing.T) {
	old := os.Getenv("LEADSYNC_TEST_OLD")
	r := startRolling(t, old)
	first, second := r.balancer.replicas[0], r.balancer.replicas[1]

	r.migrateAhead(old)
	r.replace("the second by the newer", second, "")
	r.replace("the first by the newer", first, "")
	r.replace("the first by the older again", first, old)
	r.replace("the second by the older again", second, old)

	if err := r.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mirror is equal", func() bool { return equalMirror(t, r.portal, r.db) })
	eventually(t, "all changes are announced", func() bool {
		n, err := r.db.OutboxDepth(t.Context())
		return err == nil && n == 0
	})
	if stats := r.portal.Stats(); stats.CallbacksFailed > 0 {
		t.Errorf("%d callbacks were refused or not answered", stats.CallbacksFailed)
	}
	if logs := logsOf(t, r.balancer.replicas); strings.Contains(logs, "level=ERROR") {
		t.Errorf("a replica logged an error:\n%s", logs)
	}
	t.Logf("%d edits, four replicas replaced, nothing lost", r.edits)
}

func startRolling(t *testing.T, program string) *rolling {
	t.Helper()
	dir, natsAddress := t.TempDir(), freeAddress(t)
	r := &rolling{t: t, portal: startEmulator(t, emulator.Config{Leads: 200, Seed: 5}), balancer: newBalancer(t), file: filepath.Join(dir, "mirror.db")}
	_, port, _ := strings.Cut(natsAddress, ":")
	newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+filepath.Join(dir, "nats")).start()
	info := r.portal.Info()
	for i := range 2 {
		address := freeAddress(t)
		r.balancer.add("http://" + address)
		replica := newChild(t, "serve",
			"LEADSYNC_DATA_DIR="+filepath.Join(dir, "replica"+strconv.Itoa(i)), "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+r.balancer.URL,
			"LEADSYNC_NATS_URL=nats://"+natsAddress, "LEADSYNC_DATABASE_URL=sqlite:"+r.file,
			"LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth),
			"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret,
			"LEADSYNC_RECONCILE_AT=off", "LEADSYNC_CATCHUP_EVERY=off")
		replica.program = program
		replica.start()
		r.balancer.replicas = append(r.balancer.replicas, replica)
	}
	r.ready()
	var err error
	if r.db, err = repo.Open(t.Context(), repo.Config{URL: "sqlite:" + r.file}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.db.Close() })
	r.portal.Install(r.balancer.URL+"/bitrix24/events", r.balancer.URL+"/bitrix24/oauth/callback")
	eventually(t, "the leads are imported", func() bool {
		runs, err := r.db.Runs(t.Context(), info.MemberID, 1)
		return err == nil && len(runs) == 1 && runs[0].State == leads.RunCompleted
	})
	return r
}

func (r *rolling) ready() {
	r.t.Helper()
	eventually(r.t, "both replicas are ready", func() bool { return r.balancer.ready() == len(r.balancer.replicas) })
}

// replace stops a replica and starts another program in its place.
func (r *rolling) replace(what string, replica *child, program string) {
	r.t.Helper()
	r.edit()
	replica.stop()
	r.edit()
	replica.program = program
	replica.start()
	r.edit()
	eventually(r.t, what+": both replicas are ready", func() bool { return r.balancer.ready() == len(r.balancer.replicas) })
}

func (r *rolling) edit() { r.edits += len(r.portal.MassEdit(editsPerStep)) }

// migrateAhead is what a newer version does at its start, where there is none to start: a migration
// adds something and changes nothing that is there.
func (r *rolling) migrateAhead(old string) {
	r.t.Helper()
	if old != "" { // the newer program has migrations of its own
		return
	}
	db, err := sql.Open("sqlite", r.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"ALTER TABLE bitrix_leads ADD COLUMN of_a_newer_version TEXT",
		"CREATE TABLE leadsync_of_a_newer_version (id INTEGER NOT NULL)",
		"INSERT INTO leadsync_migrations (version_id, is_applied) VALUES (90001, 1)",
	} {
		if _, err := db.ExecContext(r.t.Context(), statement); err != nil {
			r.t.Fatalf("%s: %v", statement, err)
		}
	}
}
