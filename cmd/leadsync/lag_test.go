package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

var lagEdits = flag.Int("lag", 0, "how many edits the tests of the lag make on each database; 0 leaves them out")

// hop is a part of the way of a lone edit, and how long it took each time.
type hop struct {
	name string
	took []time.Duration
}

// Where the time goes between a callback's arrival and the row and the topic, while the portal is
// idle: by the service's own journal, in whole milliseconds. Only an edit that never comes fails.
func TestHopsOfALoneEdit(t *testing.T) {
	if *lagEdits == 0 {
		t.Skip("-lag is not set")
	}
	h := openHarness(t, harnessConfig{embedded: true, near: true, sql: os.Getenv("LEADSYNC_TEST_SQLSERVER_URL")})
	h.install()
	hops := []*hop{
		{name: "stored: the notice is on its stream"},
		{name: "fetched: the worker has it, and may ask the portal"},
		{name: "answered: by the portal"},
		{name: "committed: the row"},
		{name: "callback to row"},
		{name: "published: on the topic"},
		{name: "callback to topic"},
	}
	for n := range *lagEdits {
		time.Sleep(time.Duration(400+h.rng.IntN(300)) * time.Millisecond)
		id, _ := h.portal.RandomID()
		ref := leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: id}
		begun := time.Now()
		h.edit(ref.LeadID, fmt.Sprintf("edit %d", n))
		var way []time.Duration
		h.until("the journal tells the edit's way", func() bool {
			way = h.wayOf(ref, begun.Add(-time.Millisecond))
			return way != nil
		})
		for i := range hops {
			hops[i].took = append(hops[i].took, way[i])
		}
	}
	for _, hop := range hops {
		slices.Sort(hop.took)
		at := func(share float64) time.Duration { return hop.took[int(share*float64(len(hop.took)-1))] }
		t.Logf("%-52s p50 %6s, p99 %6s, most %6s", hop.name, at(.5), at(.99), at(1))
	}
}

// wayOf is how long each hop of a lead's only edit since then took; nil as long as the journal
// does not have all of it.
func (h *harness) wayOf(ref leads.Ref, since time.Time) []time.Duration {
	record, err := journal.Look(h.t.Context(), filepath.Join(h.dataDir, "journal"), journal.Query{MemberID: ref.MemberID, LeadID: ref.LeadID, From: since})
	if err != nil {
		h.t.Fatal(err)
	}
	var received, read, wrote, published journal.Entry
	for _, e := range record.Entries {
		switch {
		case e.LeadID != ref.LeadID:
		case e.Kind == journal.Received:
			received = e
		case e.Kind == journal.Read:
			read = e
		case e.Kind == journal.Wrote:
			wrote = e
		case e.Kind == journal.Published:
			published = e
		}
	}
	if received.At.IsZero() || published.At.Before(received.At) {
		return nil
	}
	sent := read.At.Add(-read.Took)
	return []time.Duration{
		received.Took, sent.Sub(received.At.Add(received.Took)), read.Took, wrote.At.Sub(read.At), wrote.At.Sub(received.At),
		published.At.Sub(wrote.At), published.At.Sub(received.At),
	}
}

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
