package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/doctor"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
)

// A dry run accounts for leads that it leaves out, times are printed, and nobody is told how far a
// row was behind that somebody removed.
func TestPassesAccountForEveryLead(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 60, noPasses)
	if code, _, stderr := command(t.Context(), t, s.vars, "reconcile", "findings", "last"); code != exitFailure || !strings.Contains(stderr, "no pass has found anything") {
		t.Errorf("an import has no findings, exit %d: %s", code, stderr)
	}
	s.portal.SetFaults(emulator.Faults{Lose: 1})
	edited := 0
	for id := range s.portal.Leads() {
		if edited++; edited > 5 {
			break
		}
		if err := s.portal.Edit(id, map[string]any{"TITLE": "a moment ago"}); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := command(t.Context(), t, s.vars, "reconcile", "--dry-run", "--portal", host(s.portal.Info().Portal))
	if code != exitOK || !strings.Contains(stdout, "60 leads compared, 55 of them right") || !strings.Contains(stdout, "5 not counted") || !strings.Contains(stdout, "Nothing was repaired") {
		t.Errorf("a dry run, exit %d: %s%s", code, stdout, stderr)
	}
	type history struct{ Runs []reconcile.Report }
	quiet := jsonOf[history](t, s, "reconcile", "history").Runs[0].Run
	if _, stdout, _ := command(t.Context(), t, s.vars, "reconcile", "findings", quiet); !strings.Contains(stdout, "no difference") {
		t.Errorf("findings of a pass without any: %s", stdout)
	}
	s.portal.Advance(time.Hour)
	s.exec(t, "DELETE FROM bitrix_leads WHERE sql_ID = (SELECT MAX(sql_ID) FROM bitrix_leads)")
	dry := jsonOf[reconcile.Report](t, s, "reconcile", "--dry-run")
	if !dry.DryRun || dry.TooRecent != 0 || dry.Stale != 5 || dry.Missed != 1 || dry.StartedAt == nil || dry.FinishedAt == nil || dry.RequestedAt.IsZero() {
		t.Errorf("an hour later: %+v", dry)
	}
	type findings struct{ Findings []map[string]any }
	for _, f := range jsonOf[findings](t, s, "reconcile", "findings", dry.Run).Findings {
		if _, known := f["seconds_behind"]; known == (f["kind"] == "missed") {
			t.Errorf("%v", f)
		}
	}
	if _, stdout, _ := command(t.Context(), t, s.vars, "reconcile", "findings", dry.Run); !strings.Contains(stdout, "unknown") || !strings.Contains(stdout, "somebody removed the row") {
		t.Errorf("a row that was removed: %s", stdout)
	}
	for _, run := range jsonOf[history](t, s, "reconcile", "history").Runs {
		if run.StartedAt == nil || run.FinishedAt == nil || run.RequestedAt.IsZero() {
			t.Errorf("history without times: %+v", run)
		}
	}
}

// Where there is nothing to show, that is said, with what brings it.
func TestNothingIsSaidPlainly(t *testing.T) {
	vars := openDeadLetter(t)
	for args, want := range map[string][]string{
		"portals":           {"no portal is connected yet", "install the application"},
		"reconcile history": {"no pass has been requested yet", "connecting a portal requests the first one"},
		"lookup 3430001122": {"no lead has this number", "no portal is connected yet"},
		"republish":         {"no portal is connected yet"},
		"dead --lead 2":     {"no lead that fits was given up"},
		"config":            {"No settings file is read."},
	} {
		code, stdout, stderr := command(t.Context(), t, vars, strings.Fields(args)...)
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", args, code, stderr)
		}
		for _, words := range want {
			if !strings.Contains(stdout, words) {
				t.Errorf("%s: %q is missing in:\n%s", args, words, stdout)
			}
		}
	}
}

// A settings file that is not there is named where settings are shown, and one that is there is none of this.
func TestSettingsAreShownWithTheFileThatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leadsync.env")
	shown := func() string {
		var out leadstest.Log
		s := around(nil, &out, &out)
		s.settings = file
		if code := run(t.Context(), []string{"config"}, s); code != exitOK {
			t.Fatalf("exit %d: %s", code, &out)
		}
		return out.String()
	}
	if missing := "there is no " + file + ". `leadsync init` writes one"; !strings.Contains(shown(), missing) {
		t.Errorf("%q is missing in:\n%s", missing, shown())
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown(), "No settings file") {
		t.Errorf("there is a file:\n%s", shown())
	}
}

// Each command takes a portal by its domain, and by the address in a browser.
func TestPortalsAreNamedByTheirDomain(t *testing.T) {
	t.Parallel()
	s := serveImported(t, 3, noPasses)
	domain := host(s.portal.Info().Portal)
	for _, name := range []string{domain, "http://" + domain + "/crm/lead/", strings.ToUpper(s.member())} {
		for _, args := range [][]string{
			{"reconcile", "--dry-run", "--portal"}, {"reconcile", "history", "--portal"}, {"dead", "list", "--portal"}, {"republish", "--portal"}, {"portals", "show"},
		} {
			if code, stdout, stderr := command(t.Context(), t, s.vars, append(args, name)...); code != exitOK || strings.Contains(stdout, "no pass") {
				t.Errorf("%v %s: exit %d: %s%s", args, name, code, stdout, stderr)
			}
		}
		if lines := watchLines(t, s, 3, "--from-start", "--portal", name); len(lines) != 3 {
			t.Errorf("watch --portal %s: %v", name, lines)
		}
	}
	for _, args := range [][]string{
		{"reconcile", "--portal"}, {"reconcile", "history", "--portal"}, {"dead", "drop", "--portal"}, {"republish", "--portal"}, {"watch", "--portal"}, {"portals", "show"},
	} {
		if code, _, stderr := command(t.Context(), t, s.vars, append(args, "other.bitrix24.com")...); code != exitUsage || !strings.Contains(stderr, "not known here") {
			t.Errorf("%v of an unknown portal: exit %d: %s", args, code, stderr)
		}
	}
}

// Help shows what a command takes: the flags of the one that it is short for, and the settings.
func TestHelpShowsFlagsAndSettings(t *testing.T) {
	t.Parallel()
	for command, want := range map[string][]string{
		"reconcile": {"--dry-run", "--max-deletes", "findings"}, "dead": {"--older-than", "replay"}, "portals": {"claim", "--json"},
		"serve": {"LEADSYNC_HTTP_ADDR", "LEADSYNC_ALERT_SMTP_TO", "docs/settings.md"},
	} {
		var out leadstest.Log
		code := run(t.Context(), []string{command, "--help"}, around(nil, &out, &out))
		for _, words := range want {
			if code != exitOK || !strings.Contains(out.String(), words) {
				t.Errorf("%s --help, exit %d, lacks %s:\n%s", command, code, words, &out)
			}
		}
	}
}

// A Russian reader is led to the Russian page.
func TestFindingsNameThePageInTheReadersLanguage(t *testing.T) {
	a := &app{surroundings: surroundings{stdout: &leadstest.Log{}}}
	finding := []doctor.Finding{{Check: "database", Level: doctor.Fault, Found: "the database is read-only", See: "/usr/share/doc/leadsync/docs/trouble.md#the-database-does-not-answer"}}
	for lang, want := range map[string][]string{
		"en": {"the database is read-only", "see /usr/share/doc/leadsync/docs/trouble.md#the-database-does-not-answer"},
		"ru": {"база доступна только для чтения", "см. /usr/share/doc/leadsync/docs/ru/trouble.md#the-database-does-not-answer"},
	} {
		var out strings.Builder
		if err := doctor.Write(&out, finding, a.style(lang)); err != nil {
			t.Fatal(err)
		}
		for _, words := range want {
			if !strings.Contains(out.String(), words) {
				t.Errorf("%s: %q is missing in\n%s", lang, words, out.String())
			}
		}
	}
}
