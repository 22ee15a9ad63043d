package main

import (
	"net/http"
	"strings"
	"testing"
)

// editStatuses edits leads, waits for their callbacks, and counts them by the status of their
// answers.
func (h *harness) editStatuses(title string, ids ...int64) map[int]int {
	h.t.Helper()
	before := len(h.portal.Callbacks())
	for _, id := range ids {
		h.edit(id, title)
	}
	if err := h.portal.DrainCallbacks(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	status := map[int]int{}
	for _, cb := range h.portal.Callbacks()[before:] {
		status[cb.Status]++
	}
	return status
}

// A disk fills up and is freed: every callback that was answered 200 is there. The service and
// its embedded NATS server need no restart; an operator's NATS server does.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		embedded bool
	}{{"with everything on it", true}, {"of a NATS server", false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := openHarness(t, harnessConfig{embedded: test.embedded, disks: true, env: []string{"LEADSYNC_CATCHUP_EVERY=off"}})
			if len(h.disks) == 0 {
				t.Skip("no small disk: mounting one needs the rights of root")
			}
			h.install()
			a, b, c, newest := h.sampleIDs()
			free := fillDisk(t, h.disks[len(h.disks)-1])
			full := h.editStatuses("while the disk was full", a, b, c, newest)
			status, words := h.readiness()
			t.Logf("full: callbacks answered %v, readyz %d %s", full, status, words)
			m := &metricsTest{h: h, shown: map[string]bool{}}
			if now := m.read(); now["leadsync_callbacks_lost_total"] != float64(full[http.StatusInternalServerError]) ||
				now[`leadsync_callbacks_refused_total{reason="unavailable"}`] != now["leadsync_callbacks_lost_total"] {
				t.Errorf("metrics say lost %v, refused %v", now["leadsync_callbacks_lost_total"], now[`leadsync_callbacks_refused_total{reason="unavailable"}`])
			}
			if status != http.StatusServiceUnavailable || !strings.Contains(words, "does not store") || test.embedded != strings.Contains(words, "LOST") {
				t.Errorf("readyz says %d %s", status, words)
			}
			free()
			if h.nats != nil { // as readyz has asked for
				h.nats.stop()
				h.nats.start()
			}
			h.until("callbacks are stored again", func() bool {
				return h.editStatuses("when it was no longer", a, b, c, newest)[http.StatusOK] == 4
			})
			h.untilTitled(a, "when it was no longer")
			h.untilTitled(newest, "when it was no longer")
			h.untilConsistent("all agree")
			h.until("readyz reports no problem", func() bool { status, _ := h.readiness(); return status == http.StatusOK })
		})
	}
}
