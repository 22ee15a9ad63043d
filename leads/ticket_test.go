package leads_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestTicketsRise(t *testing.T) {
	tickets := leads.NewTickets(3)
	const drawers, each = 8, 500
	drawn := make([][]leads.Ticket, drawers)
	var wg sync.WaitGroup
	for i := range drawn {
		wg.Go(func() {
			for range each {
				drawn[i] = append(drawn[i], tickets.Draw())
			}
		})
	}
	wg.Wait()
	var all []leads.Ticket
	for _, list := range drawn {
		if !slices.IsSorted(list) {
			t.Error("tickets of one drawer do not rise")
		}
		all = append(all, list...)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != drawers*each {
		t.Error("a ticket was drawn twice")
	}
	for _, ticket := range all {
		if ticket.Epoch() != 3 {
			t.Fatalf("ticket %d is of epoch %d", ticket, ticket.Epoch())
		}
	}
	if next := leads.NewTickets(4).Draw(); next <= all[len(all)-1] {
		t.Errorf("the next epoch begins at %d, not after %d", next, all[len(all)-1])
	}
}

func TestChangeIsAContract(t *testing.T) {
	change := leads.Change{
		MemberID: "m", LeadID: 7, Kind: leads.Changed, Revision: 2, Fields: []string{"TITLE"}, Cause: leads.CauseOffline,
		ReadAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Lead: json.RawMessage(`{"ID":"7"}`),
	}
	text, err := json.Marshal(change)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"member_id":"m","lead_id":7,"change":"updated","revision":2,"changed":["TITLE"],"cause":"offline",` +
		`"read_at":"2026-11-23T10:00:00Z","lead":{"ID":"7"}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	next := change
	next.Revision++
	again := change
	again.Fields, again.Cause = nil, leads.CauseImport
	if change.ID() == next.ID() || change.ID() != again.ID() {
		t.Errorf("ids %s, next revision %s, same revision %s", change.ID(), next.ID(), again.ID())
	}
	if got := change.ID(); got != "cfa63be7-8e94-5594-a2f1-a1b37301e030" {
		t.Errorf("id %s: it must stay the same for ever", got)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		if v.String() == "" || seen[v.String()] {
			t.Errorf("verdict %d is named %q", v, v)
		}
		seen[v.String()] = true
	}
	for v, want := range map[leads.Verdict]bool{leads.Inserted: true, leads.Updated: true, leads.Deleted: true, leads.Missing: false, leads.Older: false} {
		if got := (leads.Outcome{Verdict: v}).Wrote(); got != want {
			t.Errorf("%s wrote: %v", v, got)
		}
	}
}
