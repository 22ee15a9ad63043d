package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/doctor"
)

// examined runs doctor and reads what it prints.
func examined(t *testing.T, vars map[string]string) (code int, found []doctor.Finding) {
	t.Helper()
	var report struct {
		Healthy  bool
		Findings []doctor.Finding
	}
	code, stdout, stderr := command(t.Context(), t, vars, "doctor", "--json")
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Healthy != (code == exitOK) {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	return code, report.Findings
}

// finds tells whether doctor found this.
func finds(found []doctor.Finding, check string, level doctor.Level, words string) bool {
	return slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Check == check && f.Level == level && strings.Contains(f.Found+f.Do, words)
	})
}

// Doctor finds a running service well, and what is broken afterwards.
func TestDoctorExaminesAnInstallation(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 20, Seed: 3})
	s := startServe(t, p, nil)
	fresh := maps.Clone(s.vars)
	fresh["LEADSYNC_DATA_DIR"] = t.TempDir()
	if code, found := examined(t, fresh); code != exitOK || !finds(found, "database", doctor.Warning, "does not exist") {
		t.Errorf("before the first start, exit %d: %+v", code, found)
	}
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, s.mirror(t))
	var found []doctor.Finding
	eventually(t, "all is well", func() bool {
		var code int
		code, found = examined(t, s.vars)
		return code == exitOK && finds(found, "portals", doctor.OK, "served")
	})
	for check, words := range map[string]string{
		"nats": "version", "database": "those of this version", "clock": "differs", "public address": "it answers", "portals": "administrator's", "settings": "can be read",
	} {
		if !finds(found, check, doctor.OK, words) {
			t.Errorf("%s is not found well: %+v", check, found)
		}
	}
	s.exec(t, "UPDATE leadsync_portals SET state = 'needs_authorization'")
	if code, found := examined(t, s.vars); code != exitFailure || !finds(found, "portals", doctor.Fault, "/bitrix24/oauth/start") {
		t.Errorf("tokens that are refused, exit %d: %+v", code, found)
	}
}

// A test message shows whether alarms arrive.
func TestDoctorSendsATestMessage(t *testing.T) {
	t.Parallel()
	got := make(chan map[string]any, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		got <- m
	}))
	defer target.Close()
	vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_ALERT_URL": target.URL}
	if code, stdout, stderr := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitOK || !strings.Contains(stdout, "accepted") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	if m := <-got; m["status"] != "test" {
		t.Errorf("sent %v", m)
	}
	target.Close()
	if code, stdout, _ := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitFailure || !strings.Contains(stdout, "fault") {
		t.Errorf("nobody listens, exit %d: %s", code, stdout)
	}
	delete(vars, "LEADSYNC_ALERT_URL")
	if code, stdout, _ := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitFailure || !strings.Contains(stdout, "LEADSYNC_ALERT_URL") {
		t.Errorf("no channel, exit %d: %s", code, stdout)
	}
}
