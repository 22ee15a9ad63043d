package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

// A service that was killed has left in its journal what it did, but for the last second.
func TestWhyTellsWhatAKilledServiceDid(t *testing.T) {
	h := openHarness(t, harnessConfig{embedded: true, env: []string{"LEADSYNC_HISTORY_VALUES=on"}})
	h.install()
	id, _ := h.portal.RandomID()
	if err := h.portal.Edit(id, map[string]any{"TITLE": "Почему?"}); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"LEADSYNC_DATA_DIR": h.dataDir, "LEADSYNC_DATABASE_URL": h.dbURL}
	domain := host(h.portal.Info().Portal)
	told := func(lead string, flags ...string) string {
		t.Helper()
		code, stdout, stderr := command(t.Context(), t, vars, append([]string{"why", domain + "/" + lead}, flags...)...)
		if code != exitOK {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		return stdout
	}
	number := strconv.FormatInt(id, 10)
	timeline := func() (tl journal.Timeline) {
		t.Helper()
		if err := json.Unmarshal([]byte(told(number, "--json")), &tl); err != nil {
			t.Fatal(err)
		}
		return tl
	}
	h.until("the announcement is in the journal", func() bool {
		return slices.ContainsFunc(timeline().Moments, func(m journal.Moment) bool { return m.What == "topic" && m.Revision == 2 })
	})
	h.serve.kill()
	got := timeline()
	var way []string
	for _, m := range got.Moments {
		if m.Revision == 2 || m.What == "callback" || m.What == "read" {
			way = append(way, m.What+" "+m.Source)
		}
		if m.What == "row" && m.Revision == 2 {
			title := slices.IndexFunc(m.Fields, func(f leads.FieldChange) bool { return f.Field == "TITLE" })
			if title < 0 || *m.Fields[title].New != "Почему?" {
				t.Errorf("the row's change: %+v", m.Fields)
			}
		}
	}
	if want := []string{"callback journal", "read journal", "row both", "topic journal"}; !slices.Equal(way, want) {
		t.Errorf("the way was %v, want %v:\n%s", way, want, told(number))
	}
	if code, _, stderr := command(t.Context(), t, vars, "why", domain+"/"+number, "--since", "7days"); code != exitUsage || !strings.Contains(stderr, "such as 7d") {
		t.Errorf("--since 7days: exit %d: %s", code, stderr)
	}
	if got.Since.After(time.Now().Add(-167 * time.Hour)) {
		t.Errorf("it tells since %s, want a week", got.Since)
	}
	if text := told(number, "--since", "2d"); !strings.Contains(text, "The row is at revision 2. Its last change was at") {
		t.Errorf("as text:\n%s", text)
	}
	if text := told("999999"); !strings.Contains(text, "no event of it arrived here") || !strings.Contains(text, "The newest lead that the mirror has is") {
		t.Errorf("of a lead that never came:\n%s", text)
	}
	for _, wrong := range []string{"x", domain + "/", domain + "/x", "nowhere/1"} {
		if code, _, _ := command(t.Context(), t, vars, "why", wrong); code != exitUsage {
			t.Errorf("why %s: exit %d", wrong, code)
		}
	}
}
