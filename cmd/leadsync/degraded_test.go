package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/leads"
)

// ready is what /readyz says.
func (d *drill) ready() (status int, words string) {
	d.t.Helper()
	response, err := http.Get(d.url + "/readyz")
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// answered edits a lead and returns what its callback was answered.
func (d *drill) answered(id int64, title string) int {
	d.t.Helper()
	if err := d.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		d.t.Fatal(err)
	}
	if err := d.portal.DrainCallbacks(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	all := d.portal.Callbacks()
	return all[len(all)-1].Status
}

// titled waits until the mirror has the title.
func (d *drill) titled(id int64, title string) {
	d.t.Helper()
	d.until("the mirror has "+title, func() bool {
		row, ok, err := d.db.Row(d.t.Context(), leads.Ref{MemberID: d.portal.Info().MemberID, LeadID: id})
		return err == nil && ok && strings.Contains(string(row.Raw), title)
	})
}

func TestServeStartsWithoutNATS(t *testing.T) {
	t.Parallel()
	d := newDrill(t, false)
	d.install()
	id, _ := d.portal.RandomID()
	d.serve.stop()
	d.nats.stop()
	d.serve.start()
	d.up()
	if status := d.answered(id, "while NATS was down"); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if status, words := d.ready(); status != http.StatusServiceUnavailable || !strings.Contains(words, "not connected") {
		t.Errorf("readyz says %d %s", status, words)
	}
	d.serve.kill() // the spool is all that has it
	d.nats.start()
	d.serve.start()
	d.titled(id, "while NATS was down")
	d.until("all is well", func() bool { status, _ := d.ready(); return status == http.StatusOK })
}

func TestServeStartsWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		forgetful bool // nothing on disk says whose the token is
	}{{"the token's hash is known", false}, {"nothing is known", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, true)
			d.install()
			id, _ := d.portal.RandomID()
			d.serve.stop()
			if test.forgetful {
				if err := os.Remove(filepath.Join(d.dataDir, "tokens.json")); err != nil {
					t.Fatal(err)
				}
			}
			with := d.serve.env
			d.serve.env = append(d.serve.env[:len(with):len(with)], "LEADSYNC_DATABASE_URL=sqlserver://sa:x@"+freeAddress(t)+"?database=oktell&encrypt=disable")
			d.serve.start()
			d.up()
			if status := d.answered(id, "while SQL was down"); status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
			if status, words := d.ready(); status != http.StatusServiceUnavailable || !strings.Contains(words, "database") {
				t.Errorf("readyz says %d %s", status, words)
			}
			d.serve.kill()
			d.serve.env = with
			d.serve.start()
			d.titled(id, "while SQL was down")
		})
	}
}
