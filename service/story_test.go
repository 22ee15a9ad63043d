package service

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func parsed(t *testing.T, raw string) leads.Lead {
	t.Helper()
	lead, err := leads.Parse(json.RawMessage(raw))
	if err != nil {
		t.Fatal(err)
	}
	return lead
}

// The comparison of the page sees what somebody edited in the table, which the hash does not.
func TestComparisonFindsWhatDiffers(t *testing.T) {
	db, member := emptyMirror(t)
	ref := leads.Ref{MemberID: member, LeadID: 17}
	stored := parsed(t, `{"ID":"17","TITLE":"Old","NAME":"Anna","STATUS_ID":"NEW","DATE_CREATE":"2026-11-26T10:00:00+03:00","DATE_MODIFY":"2026-11-26T10:00:00+03:00","PHONE":[{"ID":"1","VALUE":"+79123456789","VALUE_TYPE":"WORK","TYPE_ID":"PHONE"}]}`)
	epoch, err := db.RaiseEpoch(t.Context(), member, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Apply(t.Context(), []leads.Snapshot{{Ref: ref, Ticket: leads.NewTickets(epoch).Draw(), ReadAt: time.Now(), Cause: leads.CauseImport, Lead: stored}}); err != nil {
		t.Fatal(err)
	}
	row, ok, err := db.Row(t.Context(), ref)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	same := leads.Snapshot{Ref: ref, Lead: stored}
	if c := compareRow(row, true, &same); !c.Equal() {
		t.Errorf("of what was stored: %+v", c)
	}
	now := parsed(t, `{"ID":"17","TITLE":"New","NAME":"Anna","STATUS_ID":"NEW","DATE_CREATE":"2026-11-26T10:00:00+03:00","DATE_MODIFY":"2026-11-26T10:00:00+03:00","PHONE":[{"ID":"1","VALUE":"+79123456780","VALUE_TYPE":"WORK","TYPE_ID":"PHONE"}]}`)
	got := map[string][2]string{}
	for _, f := range compareRow(row, true, &leads.Snapshot{Ref: ref, Lead: now}).Fields {
		if f.Field == "TITLE" || f.Field == "PHONE" {
			got[f.Field] = [2]string{*f.Old, *f.New}
		}
	}
	if diff := cmp.Diff(map[string][2]string{"TITLE": {"Old", "New"}, "PHONE": {"+79123456789", "+79123456780"}}, got); diff != "" {
		t.Error(diff)
	}
	row.Columns = append([]string(nil), row.Columns...)
	for i, f := range leads.Fields {
		if f.Name == "NAME" {
			row.Columns[i] = "by hand"
		}
	}
	edited := compareRow(row, true, &same)
	if len(edited.Fields) != 1 || *edited.Fields[0].Old != "by hand" || *edited.Fields[0].New != "Anna" {
		t.Errorf("of a row that was edited: %+v", edited.Fields)
	}
	if c := compareRow(row, true, &leads.Snapshot{Err: errors.New("odd")}); c.Equal() || c.Problem != "odd" {
		t.Errorf("of an answer that is no lead: %+v", c)
	}
	if c := compareRow(leads.Row{}, false, &same); c.Equal() || len(c.Fields) > 0 {
		t.Errorf("of a lead that the mirror lacks: %+v", c)
	}
}
