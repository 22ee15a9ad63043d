package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/service"
)

// openDeadLetter makes a data directory with one dead letter, a minute old. vars are its environment.
func openDeadLetter(t *testing.T) (vars map[string]string) {
	t.Helper()
	vars = map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_NATS_LISTEN": "127.0.0.1:0"}
	cfg, err := service.ReadConfig(environmentOf(vars))
	if err != nil {
		t.Fatal(err)
	}
	b, err := service.Open(t.Context(), cfg, leadstest.Silent())
	if err != nil {
		t.Fatal(err)
	}
	err = events.PublishDead(t.Context(), b.NATS.Bus(), events.DeadLetter{
		Notice: events.Notice{Ref: leads.Ref{MemberID: "abc", LeadID: 1}, Event: "ONCRMLEADADD"}, Reason: "a poem", Attempts: 5,
		FirstAt: time.Now().Add(-time.Hour), LastAt: time.Now().Add(-time.Minute),
	})
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return vars
}

// Each flag reaches the filter; service has the tests of what is done.
func TestDeadLetterCommands(t *testing.T) {
	vars := openDeadLetter(t)
	for _, test := range []struct {
		name, args  string
		code, count int
	}{
		{"all", "dead", exitOK, 1},
		{"by reason", "dead list --reason poem", exitOK, 1},
		{"by another reason", "dead list --reason song", exitOK, 0},
		{"by another lead", "dead list --lead 2", exitOK, 0},
		{"by portal", "dead list --portal other", exitOK, 0},
		{"by age", "dead list --older-than 30s", exitOK, 1},
		{"by an age in days", "dead list --older-than 0d", exitOK, 1},
		{"by more days", "dead list --older-than 7d", exitOK, 0},
		{"an age that is none", "dead list --older-than week", exitUsage, 0},
		{"an invalid member id", "dead list --portal a.b", exitUsage, 0},
		{"drop without a selection", "dead drop", exitUsage, 0},
		{"show", "dead show", exitOK, 1},
		{"replay", "dead replay --lead 2", exitOK, 0},
		{"drop", "dead drop --all", exitOK, 1},
		{"nothing is left", "dead list", exitOK, 0},
	} {
		code, stdout, stderr := command(t.Context(), t, vars, append(strings.Fields(test.args), "--json")...)
		var report service.DeadReport
		if code == exitOK {
			if err := json.Unmarshal([]byte(stdout), &report); err != nil {
				t.Errorf("%s: %v: %s", test.name, err, stdout)
			}
		}
		if code != test.code || report.Count != test.count {
			t.Errorf("%s: exit %d, %+v: %s", test.name, code, report, stderr)
		}
	}
}
