package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vars := map[string]string{"LEADSYNC_DATA_DIR": dir, "LEADSYNC_DATABASE_URL": "sqlite:" + filepath.Join(dir, "mirror.db")}
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
		not  string
	}{
		{"the plan shows statements", []string{"--plan"}, exitOK, []string{"pending: 00001_adopt.sql", "CREATE TABLE IF NOT EXISTS bitrix_leads (", "leadsync_outbox"}, "DROP"},
		{"and has changed nothing", []string{"--plan"}, exitOK, []string{"00002_mirror.sql"}, "up to date"},
		{"apply", nil, exitOK, []string{"applied 00002_mirror.sql"}, ""},
		{"nothing is left to do", []string{"--plan"}, exitOK, []string{"up to date"}, "CREATE"},
		{"down asks first", []string{"--down"}, exitUsage, []string{"leads that were deleted", "--yes"}, ""},
		{"down and plan are two things", []string{"--down", "--plan", "--yes"}, exitUsage, nil, ""},
		{"down", []string{"--down", "--yes"}, exitOK, []string{"undone", "00002_mirror.sql"}, ""},
		{"and up again", nil, exitOK, []string{"applied 00002_mirror.sql"}, ""},
	} {
		code, stdout, stderr := command(t.Context(), t, vars, append([]string{"migrate"}, c.args...)...)
		if code != c.code {
			t.Errorf("%s: exit %d, want %d: %s", c.name, code, c.code, stderr)
		}
		for _, part := range c.want {
			if !strings.Contains(stdout+stderr, part) {
				t.Errorf("%s: %q is not in %.300s", c.name, part, stdout+stderr)
			}
		}
		if c.not != "" && strings.Contains(stdout, c.not) {
			t.Errorf("%s: %q is in the output", c.name, c.not)
		}
	}
}

// An administrator who may change tables and streams runs it, so that the service needs
// neither right.
func TestMigrateSetsUpTheStreamsOfAnExternalServer(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+t.TempDir()).start()
	vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_NATS_URL": "nats://" + address}
	var stdout string
	eventually(t, "the server is up and the streams are set up", func() bool {
		code, out, _ := command(t.Context(), t, vars, "migrate")
		stdout += out
		return code == exitOK
	})
	if !strings.Contains(stdout, "applied 00002_mirror.sql") || !strings.Contains(stdout, "the streams are up to date on nats://"+address) {
		t.Errorf("printed %s", stdout)
	}
	nc, err := events.Connect(events.Server{URL: "nats://" + address})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Look(t.Context(), bus); err != nil {
		t.Errorf("the streams: %v", err)
	}
}

// What would fail stops the command before anything has changed, and the plan says the same.
// Tables are not taken away from under a service.
func TestMigrateDownBesideAService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "mirror.db")
	vars := map[string]string{"LEADSYNC_DATA_DIR": dir, "LEADSYNC_DATABASE_URL": url}
	if code, _, stderr := command(t.Context(), t, vars, "migrate"); code != exitOK {
		t.Fatal(stderr)
	}
	now := time.Now()
	db, err := repo.Open(t.Context(), repo.Config{URL: url, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const member = "a223c6b3710f85df22e9377d6c4f7553"
	serve := func() {
		t.Helper()
		err := db.SavePortal(t.Context(), leads.Portal{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, UpdatedAt: now})
		if err == nil {
			_, err = db.RaiseEpoch(t.Context(), member, "a service")
		}
		if err == nil {
			_, err = db.Beat(t.Context(), member)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	serve()
	code, stdout, stderr := command(t.Context(), t, vars, "migrate", "--down", "--yes")
	if code != exitFailure || !strings.Contains(stderr, "served company.bitrix24.ru") || strings.Contains(stdout, "undone") {
		t.Errorf("beside a service: exit %d: %s%s", code, stdout, stderr)
	}
	now = now.Add(-2 * time.Minute)
	serve()
	if code, stdout, stderr = command(t.Context(), t, vars, "migrate", "--down", "--yes"); code != exitOK || !strings.Contains(stdout, "undone") {
		t.Errorf("after it: exit %d: %s%s", code, stdout, stderr)
	}
}
