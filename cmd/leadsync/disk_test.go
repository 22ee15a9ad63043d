package main

import (
	"net/http"
	"strings"
	"testing"
)

// answers waits until the portal has edited leads, and returns how its callbacks were
// answered.
func (d *drill) answers(title string, ids ...int64) map[int]int {
	d.t.Helper()
	before := len(d.portal.Callbacks())
	for _, id := range ids {
		d.edit(id, title)
	}
	if err := d.portal.DrainCallbacks(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	status := map[int]int{}
	for _, cb := range d.portal.Callbacks()[before:] {
		status[cb.Status]++
	}
	return status
}

// A disk is full, then it is not: what was answered 200 is there. The service needs no
// restart, the embedded NATS server included; one of the operator's does.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		embedded bool
	}{{"with everything on it", true}, {"of a NATS server", false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := furnish(t, plan{embedded: test.embedded, disks: true, env: []string{"LEADSYNC_CATCHUP_EVERY=off"}})
			if len(d.disks) == 0 {
				t.Skip("no small disk")
			}
			d.install()
			a, b, c, newest := d.some()
			free := fillDisk(t, d.disks[len(d.disks)-1])
			full := d.answers("while the disk was full", a, b, c, newest)
			status, words := d.ready()
			t.Logf("full: callbacks answered %v, readyz %d %s", full, status, words)
			m := &meter{drill: d, names: map[string]bool{}}
			if now := m.read(); now["leadsync_callbacks_lost_total"] != float64(full[http.StatusInternalServerError]) ||
				now[`leadsync_callbacks_refused_total{reason="unavailable"}`] != now["leadsync_callbacks_lost_total"] {
				t.Errorf("metrics say lost %v, refused %v", now["leadsync_callbacks_lost_total"], now[`leadsync_callbacks_refused_total{reason="unavailable"}`])
			}
			if status != http.StatusServiceUnavailable || !strings.Contains(words, "does not store") || test.embedded != strings.Contains(words, "LOST") {
				t.Errorf("readyz says %d %s", status, words)
			}
			free()
			if d.nats != nil { // as readyz has asked for
				d.nats.stop()
				d.nats.start()
			}
			d.until("callbacks are stored again", func() bool {
				return d.answers("when it was no longer", a, b, c, newest)[http.StatusOK] == 4
			})
			d.titled(a, "when it was no longer")
			d.titled(newest, "when it was no longer")
			d.agreed("all agree")
			d.until("readyz is content", func() bool { status, _ := d.ready(); return status == http.StatusOK })
		})
	}
}
