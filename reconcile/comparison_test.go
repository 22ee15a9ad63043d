package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/reconcile"
)

// The tickets of the read that is compared, and of one before and after it.
const earlier, thisRead, later leads.Ticket = 1, 2, 3

// card is a lead as the portal shows it.
func card(t *testing.T, id int64, title string) leads.Snapshot {
	t.Helper()
	raw := fmt.Sprintf(`{"ID":"%d","TITLE":%q,"DATE_CREATE":"2026-11-23T10:00:00+03:00","DATE_MODIFY":"2026-11-23T11:00:00+03:00"}`, id, title)
	lead, err := leads.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: id}, Ticket: thisRead, Lead: lead}
}

// rowOf is the row that an earlier read of a card has written.
func rowOf(snap leads.Snapshot) leads.Row {
	row := leads.Row{
		Ref: snap.Ref, Ticket: earlier, Hash: snap.Lead.Hash(), Contacts: snap.Lead.Contacts, Raw: snap.Lead.Raw,
		CreatedAt: leads.Instant(snap.Lead.Value("DATE_CREATE")), ModifiedAt: leads.Instant(snap.Lead.Value("DATE_MODIFY")),
	}
	for i, f := range leads.Fields {
		row.Columns = append(row.Columns, f.Column(snap.Lead.Values[i]))
	}
	return row
}

// outcome is what a comparison says of one lead.
type outcome struct {
	Equal, Returned, Lacking, Absent bool
	Repair                           leads.FindingKind
	Altered                          bool
	Settled                          leads.Verdict
}

func TestComparison(t *testing.T) {
	noted := func(kind leads.FindingKind) map[int64]leads.Finding {
		return map[int64]leads.Finding{7: {Ref: leads.Ref{MemberID: "m", LeadID: 7}, Kind: kind, Repaired: leads.Pending}}
	}
	for _, test := range []struct {
		name   string
		noted  map[int64]leads.Finding
		ids    bool
		hidden bool // the portal does not show the lead
		row    func(*leads.Row) bool
		want   outcome
	}{
		{name: "the row is right", row: func(*leads.Row) bool { return true }, want: outcome{Equal: true}},
		{name: "no row", row: func(*leads.Row) bool { return false }, want: outcome{Repair: leads.FindingMissed}},
		{name: "a tombstone", row: func(r *leads.Row) bool { r.Deleted = true; return true }, want: outcome{Repair: leads.FindingMissed}},
		{
			name: "a tombstone of a later read", want: outcome{Equal: true},
			row: func(r *leads.Row) bool { r.Deleted, r.Ticket = true, later; return true },
		},
		{
			name: "an older card", want: outcome{Repair: leads.FindingStale},
			row: func(r *leads.Row) bool { *r = rowOf(card(t, 7, "old")); return true },
		},
		{
			name: "an older card of a later read", want: outcome{Equal: true},
			row: func(r *leads.Row) bool { *r = rowOf(card(t, 7, "old")); r.Ticket = later; return true },
		},
		{
			name: "a column altered by hand", want: outcome{Repair: leads.FindingStale, Altered: true},
			row: func(r *leads.Row) bool { r.Columns[1] = "altered"; return true },
		},
		{
			name: "a right row marked as absent", want: outcome{Equal: true, Returned: true},
			row: func(r *leads.Row) bool { r.Absent = true; return true },
		},
		{name: "a row that is not shown", hidden: true, row: func(*leads.Row) bool { return true }, want: outcome{Absent: true}},
		{name: "a tombstone that is not shown", hidden: true, row: func(r *leads.Row) bool { r.Deleted = true; return true }},
		{name: "a later row that is not shown", hidden: true, row: func(r *leads.Row) bool { r.Ticket = later; return true }},
		{
			name: "a noted row that is not shown", hidden: true, noted: noted(leads.FindingPhantom), want: outcome{Absent: true},
			row: func(r *leads.Row) bool { r.Ticket = later; return true },
		},
		{
			name: "a noted phantom that was deleted", hidden: true, noted: noted(leads.FindingPhantom), want: outcome{Settled: leads.Deleted},
			row: func(r *leads.Row) bool { r.Deleted = true; return true },
		},
		{
			name: "a noted lead that was inserted", noted: noted(leads.FindingMissed), want: outcome{Settled: leads.Inserted},
			row: func(*leads.Row) bool { return true },
		},
		{
			name: "a noted lead that was updated", noted: noted(leads.FindingStale), want: outcome{Settled: leads.Updated},
			row: func(*leads.Row) bool { return true },
		},
		{name: "ids: an older card", ids: true, row: func(r *leads.Row) bool { r.Columns = nil; return true }, want: outcome{Equal: true}},
		{name: "ids: no row", ids: true, row: func(*leads.Row) bool { return false }, want: outcome{Lacking: true}},
		{name: "ids: a tombstone", ids: true, row: func(r *leads.Row) bool { r.Deleted = true; return true }, want: outcome{Lacking: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			snap := card(t, 7, "new")
			before, after := card(t, 5, "equal"), card(t, 9, "equal")
			shown := []leads.Snapshot{before, snap, after}
			if test.hidden {
				shown = []leads.Snapshot{before, after}
			}
			c := reconcile.NewComparison(reconcile.Facts{
				RunID: "r", MemberID: "m", Ticket: thisRead, Noted: test.noted, IDsOnly: test.ids, Now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
			}, shown)
			c.AddRow(rowOf(before))
			if row := rowOf(snap); test.row(&row) {
				c.AddRow(row)
			}
			c.AddRow(rowOf(after))
			if diff := cmp.Diff(test.want, outcomeOf(c.Finish())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// outcomeOf is what became of the lead between two that are equal.
func outcomeOf(d reconcile.Differences) outcome {
	got := outcome{Equal: d.Unchanged == 3, Returned: len(d.Returned) > 0, Lacking: len(d.Lacking) > 0, Absent: len(d.Absent) > 0}
	for _, r := range d.Repairs {
		got.Repair, got.Altered = r.Finding.Kind, r.Finding.Cause != ""
	}
	for _, f := range d.Settled {
		got.Settled = f.Repaired
	}
	return got
}

func TestFindingsAreBehindSinceTheLastChange(t *testing.T) {
	c := reconcile.NewComparison(reconcile.Facts{
		Now: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC), PortalAhead: 10 * time.Minute,
	}, []leads.Snapshot{card(t, 7, "changed at 8:00 UTC")})
	if d := c.Finish(); len(d.Repairs) != 1 || d.Repairs[0].Finding.Behind != 40*time.Minute {
		t.Errorf("%+v", d.Repairs)
	}
}
