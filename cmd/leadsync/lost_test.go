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
)

// reopen opens the database anew, after the file was taken from under us.
func (d *drill) reopen() {
	d.t.Helper()
	_ = d.db.Close()
	db, err := repo.Open(d.t.Context(), repo.Config{URL: "sqlite:" + d.dbPath})
	if err != nil {
		d.t.Fatal(err)
	}
	d.db = db
	d.t.Cleanup(func() { _ = db.Close() })
}

// unequal lists what the mirror, or the subscriber, does not have as the portal has it.
func (d *drill) unequal() ([]string, error) {
	truth := maps.Collect(d.portal.Leads())
	rows, err := d.db.Range(d.t.Context(), d.portal.Info().MemberID, 0, leads.MaxID, 100_000)
	if err != nil {
		return nil, err
	}
	var r demo.Result
	for _, row := range rows {
		r.CompareRow(row, truth)
		delete(truth, row.LeadID)
	}
	wrong, err := d.wrong()
	if r.Differences > 0 || len(truth) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d rows differ, %d are missing", r.Differences, len(truth)))
	}
	return append(wrong, d.ears.fallen()...), err
}

// agreed waits until portal, mirror and subscriber say the same.
func (d *drill) agreed(what string) {
	d.t.Helper()
	var last []string
	defer func() {
		if d.t.Failed() {
			d.t.Log(last)
		}
	}()
	d.until(what, func() bool {
		wrong, err := d.unequal()
		last = wrong
		return err == nil && len(wrong) == 0
	})
}

func (d *drill) edit(id int64, title string) {
	d.t.Helper()
	if err := d.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		d.t.Fatal(err)
	}
}

// some are the first ids of the portal, and the last.
func (d *drill) some() (a, b, c, newest int64) {
	ids := slices.Sorted(maps.Keys(maps.Collect(d.portal.Leads())))
	return ids[0], ids[1], ids[2], ids[len(ids)-1]
}

// history gives some leads a few revisions.
func (d *drill) history(round string, ids ...int64) {
	d.t.Helper()
	for n := range 2 {
		title := fmt.Sprintf("%s %d", round, n)
		for _, id := range ids {
			d.edit(id, title)
		}
		for _, id := range ids {
			d.titled(id, title)
		}
	}
}

// each does something with the files of the database.
func (d *drill) each(do func(path string) error) {
	d.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := do(d.dbPath + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.t.Fatal(err)
		}
	}
}

func (d *drill) command(args ...string) (code int, out string) {
	d.t.Helper()
	vars := map[string]string{}
	for _, v := range d.serve.env {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	var stdout, stderr strings.Builder
	code = run(d.t.Context(), args, environmentOf(vars), &stdout, &stderr)
	if code != exitOK {
		d.t.Logf("%v: %s", args, stderr.String())
	}
	return code, stdout.String()
}

// republish runs the command and returns what it did.
func (d *drill) republish() republishView {
	d.t.Helper()
	code, out := d.command("republish", "--json")
	var report republishReport
	if err := json.Unmarshal([]byte(out), &report); code != exitOK || err != nil || len(report.Portals) != 1 {
		d.t.Fatalf("republish exits with %d, says %s, %v", code, out, err)
	}
	return report.Portals[0]
}

// The database is lost and NATS is kept: revisions go on above what subscribers have seen,
// and what was deleted meanwhile is deleted there too.
func TestLostDatabaseSkipsNoChange(t *testing.T) {
	t.Parallel()
	d := newDrill(t, true)
	d.install()
	a, b, c, _ := d.some()
	d.history("before", a, b, c)
	d.agreed("all is well before")
	revision := d.ears.revision(a)
	d.serve.stop()
	d.each(os.Remove)
	d.edit(a, "while the database was gone")
	if err := d.portal.Delete(b); err != nil {
		t.Fatal(err)
	}
	d.portal.Add(3)
	if err := d.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.serve.start()
	d.up()
	d.reopen()
	d.until("the tables are there", func() bool { _, err := d.db.Portals(t.Context()); return err == nil })
	d.portal.Install(d.url+"/bitrix24/events", d.url+"/bitrix24/oauth/callback")
	d.agreed("the new database, the portal and the subscriber agree")
	d.until("the subscriber knows of the deletion", func() bool { return d.ears.gone(b) })
	d.history("after", a, c)
	d.agreed("and go on agreeing")
	if now := d.ears.revision(a); now != revision+3 {
		t.Errorf("a lead was at revision %d, and is after three changes at %d", revision, now)
	}
}

// An old copy of the database is put back: what changes then is announced above what
// subscribers have seen, and republish finds the rest.
func TestRestoredDatabaseSkipsNoChange(t *testing.T) {
	t.Parallel()
	d := newDrill(t, true)
	d.install()
	a, b, c, _ := d.some()
	d.history("before", a, b)
	d.serve.stop()
	backup := t.TempDir()
	d.each(func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(backup, filepath.Base(path)), data, 0o600)
	})
	d.serve.start()
	d.up()
	d.history("after the backup", a, b, c)
	d.history("and later", a) // so that the old copy does not catch up by counting
	d.portal.Add(1)
	d.agreed("all is well before")
	_, _, _, newest := d.some()
	d.serve.stop()
	d.each(os.Remove)
	d.each(func(path string) error { return os.Rename(filepath.Join(backup, filepath.Base(path)), path) })
	if err := d.portal.Delete(newest); err != nil { // the old copy has never seen it
		t.Fatal(err)
	}
	d.edit(c, "while it was put back")
	if err := d.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.serve.start()
	d.up()
	d.reopen()
	d.history("after the restoration", a)
	d.until("the subscriber hears of it", func() bool {
		row, ok, err := d.db.Row(t.Context(), leads.Ref{MemberID: d.portal.Info().MemberID, LeadID: a})
		return err == nil && ok && d.ears.revision(a) == row.Revision
	})
	if done := d.republish(); done.Restored != 1 {
		t.Errorf("republish: %+v; one lead is on the topic alone", done)
	}
	d.until("the subscriber knows that it is gone", func() bool {
		row, ok, err := d.db.Row(t.Context(), leads.Ref{MemberID: d.portal.Info().MemberID, LeadID: newest})
		return err == nil && ok && row.Deleted && d.ears.revision(newest) == row.Revision && d.ears.gone(newest)
	})
	d.agreed("all agree again")
}

// NATS is lost and the database is kept: republish fills the topic.
func TestLostTopicIsFilledByRepublish(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{true, false} {
		t.Run(fmt.Sprintf("beside the service %v", served), func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, true)
			d.install()
			a, b, c, _ := d.some()
			d.history("before", a, b)
			if err := d.portal.Delete(c); err != nil {
				t.Fatal(err)
			}
			d.agreed("all is well before")
			d.serve.stop()
			d.ears.stop()
			if err := os.RemoveAll(filepath.Join(d.dataDir, "nats")); err != nil {
				t.Fatal(err)
			}
			if served {
				d.serve.start()
				d.up()
			}
			if done := d.republish(); done.Rows != 100 || done.Announced != 100 || done.Raised+done.Restored != 0 {
				t.Errorf("republish: %+v", done)
			}
			if done := d.republish(); done.Announced+done.Raised+done.Restored != 0 {
				t.Errorf("a second time: %+v", done)
			}
			if !served {
				d.serve.start()
				d.up()
			}
			d.ears = d.listen()
			d.agreed("a new subscriber has everything")
		})
	}
}
