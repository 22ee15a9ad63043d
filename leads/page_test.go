package leads_test

import (
	"testing"

	"leadsync/leads"
)

// A portal that repeats a row or goes back would make the scan read the same pages for
// ever.
func TestPageAppendWantsAscendingIDs(t *testing.T) {
	rows := func(ids ...int64) (list []leads.Snapshot) {
		for _, id := range ids {
			list = append(list, leads.Snapshot{Ref: leads.Ref{LeadID: id}})
		}
		return list
	}
	page := leads.Page{UpTo: 10}
	if err := page.Append(rows(11, 15)); err != nil || page.UpTo != 15 || len(page.Snapshots) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, bad := range [][]leads.Snapshot{rows(15), rows(16, 16), rows(16, 12), rows(3)} {
		again := leads.Page{UpTo: 15}
		if err := again.Append(bad); err == nil {
			t.Errorf("%v was taken after lead 15", bad)
		}
	}
}
