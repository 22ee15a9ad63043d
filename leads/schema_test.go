package leads_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

var readAt = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

func fieldType(name, title, kind string, multiple bool) leads.FieldType {
	return leads.FieldType{Field: name, Label: title, Type: kind, Multiple: multiple}
}

func TestSchemaChanges(t *testing.T) {
	note := fieldType("UF_CRM_NOTE", "Note", "string", false)
	list := fieldType("UF_CRM_LIST", "List", "enumeration", true)
	stored := []leads.FieldType{note, list}
	for _, test := range []struct {
		name   string
		before leads.Schema
		now    []leads.FieldType
		want   []string // "field kind"
		keeps  []leads.FieldType
	}{
		{
			name: "the first reading has nothing to compare with", now: stored,
			keeps: []leads.FieldType{list, note},
		},
		{
			name: "another order is no change", before: leads.Schema{Fields: stored, ReadAt: readAt}, now: []leads.FieldType{list, note},
			keeps: []leads.FieldType{list, note},
		},
		{
			name: "a field is added", before: leads.Schema{Fields: []leads.FieldType{note}, ReadAt: readAt}, now: stored,
			want: []string{"UF_CRM_LIST added"}, keeps: []leads.FieldType{list, note},
		},
		{
			name: "the first field of a portal is added", before: leads.Schema{ReadAt: readAt}, now: []leads.FieldType{note},
			want: []string{"UF_CRM_NOTE added"}, keeps: []leads.FieldType{note},
		},
		{
			name: "a field is renamed", before: leads.Schema{Fields: stored, ReadAt: readAt},
			now:  []leads.FieldType{fieldType("UF_CRM_NOTE", "Remark", "string", false), list},
			want: []string{"UF_CRM_NOTE renamed"}, keeps: []leads.FieldType{list, fieldType("UF_CRM_NOTE", "Remark", "string", false)},
		},
		{
			name: "a field has another type", before: leads.Schema{Fields: stored, ReadAt: readAt},
			now:  []leads.FieldType{fieldType("UF_CRM_NOTE", "Note", "date", false), list},
			want: []string{"UF_CRM_NOTE retyped"}, keeps: []leads.FieldType{list, fieldType("UF_CRM_NOTE", "Note", "date", false)},
		},
		{
			name: "a field holds one value instead of several", before: leads.Schema{Fields: stored, ReadAt: readAt},
			now:  []leads.FieldType{note, fieldType("UF_CRM_LIST", "List", "enumeration", false)},
			want: []string{"UF_CRM_LIST retyped"}, keeps: []leads.FieldType{fieldType("UF_CRM_LIST", "List", "enumeration", false), note},
		},
		{
			name: "a field is made anew, with another title and type", before: leads.Schema{Fields: stored, ReadAt: readAt},
			now:   []leads.FieldType{fieldType("UF_CRM_NOTE", "Day", "date", false), list},
			want:  []string{"UF_CRM_NOTE renamed", "UF_CRM_NOTE retyped"},
			keeps: []leads.FieldType{list, fieldType("UF_CRM_NOTE", "Day", "date", false)},
		},
		{
			name: "a field is removed", before: leads.Schema{Fields: stored, ReadAt: readAt}, now: []leads.FieldType{note},
			want: []string{"UF_CRM_LIST removed"}, keeps: []leads.FieldType{note},
		},
		{
			name: "an empty list removes nothing", before: leads.Schema{Fields: stored, ReadAt: readAt}, now: nil,
			keeps: stored,
		},
		{
			name: "a title that is not told stays", before: leads.Schema{Fields: stored, ReadAt: readAt},
			now:   []leads.FieldType{fieldType("UF_CRM_NOTE", "", "string", false), list},
			keeps: []leads.FieldType{list, note},
		},
		{
			name: "a title that becomes known is not a new one", before: leads.Schema{Fields: []leads.FieldType{fieldType("UF_CRM_NOTE", "", "string", false)}, ReadAt: readAt},
			now:   []leads.FieldType{note},
			keeps: []leads.FieldType{note},
		},
		{
			name:   "a title that is too long for its column is no change",
			before: leads.Schema{Fields: []leads.FieldType{fieldType("UF_CRM_NOTE", strings.Repeat("ж", 1000), "string", false)}, ReadAt: readAt},
			now:    []leads.FieldType{fieldType("UF_CRM_NOTE", strings.Repeat("ж", 1001)+"\x00", "string", false)},
			keeps:  []leads.FieldType{fieldType("UF_CRM_NOTE", strings.Repeat("ж", 1000), "string", false)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields, changes := test.before.Next(test.now)
			var got []string
			for _, c := range changes {
				got = append(got, c.Field+" "+string(c.Kind))
				if (c.Before == nil) != (c.Kind == leads.FieldAdded) || (c.After == nil) != (c.Kind == leads.FieldRemoved) || !c.Since.Equal(readAt) {
					t.Errorf("%+v", c)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.keeps, fields); diff != "" {
				t.Errorf("stored then (-want +got):\n%s", diff)
			}
		})
	}
}

// What is published twice after a kill has the same id; the same change at another time has not.
func TestSchemaChangeIDs(t *testing.T) {
	short, long := fieldType("UF_CRM_A", "A", "string", false), fieldType("UF_CRM_A", "Long", "string", false)
	rename := func(before, after leads.FieldType, since time.Time) string {
		t.Helper()
		_, changes := leads.Schema{Fields: []leads.FieldType{before}, ReadAt: since}.Next([]leads.FieldType{after})
		if len(changes) != 1 {
			t.Fatalf("%+v", changes)
		}
		changes[0].MemberID, changes[0].At = "m", time.Now()
		return changes[0].ID()
	}
	first := rename(short, long, readAt)
	if again := rename(short, long, readAt.Local()); again != first {
		t.Error("the same comparison has another id")
	}
	ids := []string{first, rename(long, short, readAt), rename(short, long, readAt.Add(time.Second))}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 {
		t.Errorf("different changes share an id: %v", ids)
	}
}

func TestSchemaChangeIsTheContract(t *testing.T) {
	body, err := json.Marshal(leads.SchemaChange{
		MemberID: "m", Field: "UF_CRM_A", Kind: leads.FieldRemoved, Before: &leads.FieldShape{Title: "A", Type: "string", Multiple: true},
		At: readAt, Since: readAt,
	})
	const want = `{"member_id":"m","field":"UF_CRM_A","change":"removed","before":{"title":"A","type":"string","multiple":true},"after":null,"at":"2026-11-25T03:00:00Z"}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
}

func TestCustomFieldsAreTheirNames(t *testing.T) {
	for name, want := range map[string]bool{"UF_CRM_A": true, "UF_CRM_1724077760": true, "PARENT_ID_177": false, "UF_crm_b": false, "TITLE": false} {
		if got := leads.IsCustomField(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
