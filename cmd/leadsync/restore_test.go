package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/demo"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// reopen opens the database again after its file was replaced.
func (h *harness) reopen() {
	h.t.Helper()
	_ = h.db.Close()
	db, err := repo.Open(h.t.Context(), repo.Config{URL: "sqlite:" + h.dbPath})
	if err != nil {
		h.t.Fatal(err)
	}
	h.db = db
	h.t.Cleanup(func() { _ = db.Close() })
}

// differences lists what the mirror, or the subscriber, does not have as the portal has it.
func (h *harness) differences() ([]string, error) {
	truth := maps.Collect(h.portal.Leads())
	rows, err := h.db.Range(h.t.Context(), h.portal.Info().MemberID, 0, leads.MaxID, 100_000)
	if err != nil {
		return nil, err
	}
	var r demo.Result
	for _, row := range rows {
		r.CompareRow(row, truth)
		delete(truth, row.LeadID)
	}
	wrong, err := h.inconsistencies()
	if r.Differences > 0 || len(truth) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d rows differ, %d are missing", r.Differences, len(truth)))
	}
	return append(wrong, h.subscriber.wrongOrder()...), err
}

// untilConsistent waits until portal, mirror and subscriber agree.
func (h *harness) untilConsistent(what string) {
	h.t.Helper()
	var last []string
	defer func() {
		if h.t.Failed() {
			h.t.Log(last)
		}
	}()
	h.until(what, func() bool {
		wrong, err := h.differences()
		last = wrong
		return err == nil && len(wrong) == 0
	})
}

func (h *harness) edit(id int64, title string) {
	h.t.Helper()
	if err := h.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		h.t.Fatal(err)
	}
}

// sampleIDs are the first ids of the portal, and the last.
func (h *harness) sampleIDs() (a, b, c, newest int64) {
	ids := slices.Sorted(maps.Keys(maps.Collect(h.portal.Leads())))
	return ids[0], ids[1], ids[2], ids[len(ids)-1]
}

// addRevisions gives some leads a few revisions.
func (h *harness) addRevisions(round string, ids ...int64) {
	h.t.Helper()
	for n := range 2 {
		title := fmt.Sprintf("%s %d", round, n)
		for _, id := range ids {
			h.edit(id, title)
		}
		for _, id := range ids {
			h.untilTitled(id, title)
		}
	}
}

// eachDatabaseFile does something with every file of the database.
func (h *harness) eachDatabaseFile(do func(path string) error) {
	h.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := do(h.dbPath + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			h.t.Fatal(err)
		}
	}
}

func (h *harness) command(args ...string) (code int, out string) {
	h.t.Helper()
	vars := map[string]string{}
	for _, v := range h.serve.env {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	var stdout, stderr strings.Builder
	code = run(h.t.Context(), args, around(vars, &stdout, &stderr))
	if code != exitOK {
		h.t.Logf("%v: %s", args, stderr.String())
	}
	return code, stdout.String()
}

// republish runs the command and returns its report.
func (h *harness) republish() service.RepublishedPortal {
	h.t.Helper()
	code, out := h.command("republish", "--json")
	var report service.Republished
	if err := json.Unmarshal([]byte(out), &report); code != exitOK || err != nil || len(report.Portals) != 1 {
		h.t.Fatalf("republish exits with %d, says %s, %v", code, out, err)
	}
	return report.Portals[0]
}

// The database is lost and NATS is kept: revisions continue above those that subscribers have
// seen, and leads that were deleted meanwhile are announced as deleted.
func TestLostDatabaseSkipsNoChange(t *testing.T) {
	t.Parallel()
	h := newHarness(t, true)
	h.install()
	a, b, c, _ := h.sampleIDs()
	h.addRevisions("before", a, b, c)
	h.untilConsistent("all agree before")
	revision := h.subscriber.revision(a)
	h.serve.stop()
	h.eachDatabaseFile(os.Remove)
	h.edit(a, "while the database was gone")
	if err := h.portal.Delete(b); err != nil {
		t.Fatal(err)
	}
	h.portal.Add(3)
	if err := h.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.serve.start()
	h.untilUp()
	h.reopen()
	h.until("the tables are there", func() bool { _, err := h.db.Portals(t.Context()); return err == nil })
	h.portal.Install(h.url+"/bitrix24/events", h.url+"/bitrix24/oauth/callback")
	h.untilConsistent("the new database, the portal and the subscriber agree")
	h.until("the subscriber knows of the deletion", func() bool { return h.subscriber.deleted(b) })
	h.addRevisions("after", a, c)
	h.untilConsistent("they still agree")
	if now := h.subscriber.revision(a); now != revision+3 {
		t.Errorf("a lead was at revision %d, and is after three changes at %d", revision, now)
	}
}

// An old copy of the database is restored: later changes get revisions above those that
// subscribers have seen, and republish finds the rest.
func TestRestoredDatabaseSkipsNoChange(t *testing.T) {
	t.Parallel()
	h := newHarness(t, true)
	h.install()
	a, b, c, _ := h.sampleIDs()
	h.addRevisions("before", a, b)
	h.serve.stop()
	backup := t.TempDir()
	h.eachDatabaseFile(func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(backup, filepath.Base(path)), data, 0o600)
	})
	h.serve.start()
	h.untilUp()
	h.addRevisions("after the backup", a, b, c)
	h.addRevisions("and later", a) // so that the old copy does not catch up by counting
	h.portal.Add(1)
	h.untilConsistent("all agree before")
	_, _, _, newest := h.sampleIDs()
	h.serve.stop()
	h.eachDatabaseFile(os.Remove)
	h.eachDatabaseFile(func(path string) error { return os.Rename(filepath.Join(backup, filepath.Base(path)), path) })
	if err := h.portal.Delete(newest); err != nil { // the old copy has never seen it
		t.Fatal(err)
	}
	h.edit(c, "while it was put back")
	if err := h.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.serve.start()
	h.untilUp()
	h.reopen()
	h.addRevisions("after the restoration", a)
	h.until("the subscriber hears of it", func() bool {
		row, ok, err := h.db.Row(t.Context(), leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: a})
		return err == nil && ok && h.subscriber.revision(a) == row.Revision
	})
	if done := h.republish(); done.Restored != 1 {
		t.Errorf("republish: %+v; one lead is on the topic alone", done)
	}
	h.until("the subscriber knows that it is gone", func() bool {
		row, ok, err := h.db.Row(t.Context(), leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: newest})
		return err == nil && ok && row.Deleted && h.subscriber.revision(newest) == row.Revision && h.subscriber.deleted(newest)
	})
	h.untilConsistent("all agree again")
}

// NATS is lost and the database is kept: republish fills the topic.
func TestLostTopicIsFilledByRepublish(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("beside the service %v", running), func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, true)
			h.install()
			a, b, c, _ := h.sampleIDs()
			h.addRevisions("before", a, b)
			if err := h.portal.Delete(c); err != nil {
				t.Fatal(err)
			}
			h.untilConsistent("all agree before")
			h.serve.stop()
			h.subscriber.stop()
			if err := os.RemoveAll(filepath.Join(h.dataDir, "nats")); err != nil {
				t.Fatal(err)
			}
			if running {
				h.serve.start()
				h.untilUp()
			}
			if done := h.republish(); done.Rows != 100 || done.Announced != 100 || done.Raised+done.Restored != 0 {
				t.Errorf("republish: %+v", done)
			}
			if done := h.republish(); done.Announced+done.Raised+done.Restored != 0 {
				t.Errorf("a second time: %+v", done)
			}
			if !running {
				h.serve.start()
				h.untilUp()
			}
			h.subscriber = h.subscribe()
			h.untilConsistent("a new subscriber has everything")
		})
	}
}
