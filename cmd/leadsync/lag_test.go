package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

var lagEdits = flag.Int("lag", 0, "how many edits TestLagOnADatabaseServer makes on each database; 0 leaves it out")

// How long an edit takes to its row, on a database server and on SQLite, in turn in one run.
// Only an edit that never comes fails the test: times depend on the machine.
func TestLagOnADatabaseServer(t *testing.T) {
	server := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL")
	if server == "" || *lagEdits == 0 {
		t.Skip("LEADSYNC_TEST_SQLSERVER_URL or -lag is not set")
	}
	sqlite, remote := newHarness(t, true), openHarness(t, harnessConfig{embedded: true, sql: server})
	took := map[*harness][]time.Duration{}
	for _, h := range []*harness{sqlite, remote} {
		h.install()
	}
	for n := range *lagEdits {
		for _, h := range []*harness{sqlite, remote} {
			id, _ := h.portal.RandomID()
			title := fmt.Sprintf("edit %d", n)
			begun := time.Now()
			h.edit(id, title)
			h.untilTitled(id, title)
			took[h] = append(took[h], time.Since(begun))
		}
	}
	at := func(h *harness, share float64) time.Duration {
		slices.Sort(took[h])
		return took[h][int(share*float64(len(took[h])-1))]
	}
	for name, share := range map[string]float64{"p50": .5, "p99": .99} {
		t.Logf("edit to row, %s of %d edits each: database server %s, SQLite %s, ratio %.2f", name, *lagEdits,
			at(remote, share).Round(time.Millisecond), at(sqlite, share).Round(time.Millisecond), float64(at(remote, share))/float64(at(sqlite, share)))
	}
}
