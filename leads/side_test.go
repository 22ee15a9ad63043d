package leads_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestSolution(t *testing.T) {
	lead := parse(t, `{"ID":"1","TITLE":"t","UF_A":["x",null,2],"UF_B":{"id":7},"UF_C":false,"UF_D":"0","UF_E":true,"UF_LONG":"`+strings.Repeat("я", 2001)+`"}`)
	for _, c := range []struct {
		field, want string
		whole       bool
	}{
		{"", "", true},
		{"UF_A", "x, 2", true},
		{"UF_B", `{"id":"7"}`, true},
		{"UF_C", "", true},
		{"UF_D", "", true},
		{"UF_E", "1", true},
		{"UF_UNKNOWN", "", true},
		{"UF_LONG", strings.Repeat("я", 2000), false},
	} {
		if got, whole := lead.Solution(c.field, nil); got != c.want || whole != c.whole {
			t.Errorf("solution from %q is %q, whole %v; want %q, %v", c.field, got, whole, c.want, c.whole)
		}
	}
}

func TestSidesCount(t *testing.T) {
	const card = `{"ID":"1","DATE_CREATE":"2021-05-31T15:10:16+02:00","UF_A":["x","y"],"UF_B":"b","PHONE":[{"ID":"7","VALUE":"8 912 345-01-15, 8 912 345-01-16","TYPE_ID":"PHONE"}]}`
	rules := leads.Rules{Region: "RU", Solution: "UF_B"}
	for _, c := range []struct {
		name   string
		damage func(*leads.Sides)
		want   []string
	}{
		{"nothing", func(*leads.Sides) {}, nil},
		{"fields in another order", func(s *leads.Sides) { slices.Reverse(s.Fields) }, nil},
		{"one number is missing", func(s *leads.Sides) { s.Phones = s.Phones[:1] }, []string{"PHONE"}},
		{"a number of another form", func(s *leads.Sides) { s.Phones[0].E164 = "" }, []string{"PHONE"}},
		{"a number of a closed lead", func(s *leads.Sides) { s.Phones[1].Closed = true }, []string{"PHONE"}},
		{"a number without a time", func(s *leads.Sides) { s.Phones[1].CreatedAt = time.Time{} }, []string{"PHONE"}},
		{"one value is missing", func(s *leads.Sides) { s.Fields = s.Fields[1:] }, []string{"UF_A"}},
		{"another value", func(s *leads.Sides) { s.Fields[2].Value = "c" }, []string{"UF_B"}},
		{"one field too many", func(s *leads.Sides) { s.Fields = append(s.Fields, leads.FieldValue{Field: "UF_C", Value: "c"}) }, []string{"UF_C"}},
		{"no solution", func(s *leads.Sides) { s.Solutions = nil }, []string{"UF_B"}},
		{"another solution", func(s *leads.Sides) { s.Solutions[0] = "c" }, []string{"UF_B"}},
		{"two solutions", func(s *leads.Sides) { s.Solutions = append(s.Solutions, "b") }, []string{"UF_B"}},
		{"a solution without a field", func(s *leads.Sides) { s.Solution, s.Solutions = "", []string{"of a former program"} }, nil},
		{"everything is missing", func(s *leads.Sides) { *s = leads.Sides{Rules: rules} }, []string{"PHONE", "UF_A", "UF_B"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := parse(t, card)
			row := rowOf(&lead)
			row.Sides = &leads.Sides{Rules: rules, Phones: lead.Phones("RU"), Fields: lead.FieldValues(), Solutions: []string{"b"}}
			c.damage(row.Sides)
			if diff := cmp.Diff(c.want, row.Differences(&lead)); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			row.Sides = nil
			if got := row.Differences(&lead); got != nil {
				t.Errorf("while the tables are being filled it differs in %v", got)
			}
		})
	}
}

// Contacts that differ only beyond the width of their columns are equal in the mirror.
func TestContactsThatDifferOnlyBeyondTheirColumns(t *testing.T) {
	long := strings.Repeat("9", 2000)
	lead := parse(t, `{"ID":"1","PHONE":[{"ID":"`+long+`","VALUE_TYPE":"WORK"},{"ID":"`+long+`9","VALUE_TYPE":"HOME"}]}`)
	row := leads.Row{Columns: make([]string, len(leads.Fields)), Raw: lead.Raw}
	for _, c := range lead.Contacts {
		row.Contacts = append(row.Contacts, c.Columns())
	}
	if got := row.Differences(&lead); got != nil {
		t.Errorf("differs in %v", got)
	}
}
