package leads_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadsync/leads"
)

func TestEqualCards(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"absent, null, empty", `{"ID":"1"}`, `{"ID":"1","NAME":null,"POST":"","COMMENTS":[]}`},
		{"no reference", `{"ID":"1","COMPANY_ID":"0"}`, `{"ID":"1","COMPANY_ID":null}`},
		{"number or text", `{"ID":1,"ASSIGNED_BY_ID":7}`, `{"ID":"1","ASSIGNED_BY_ID":"7"}`},
		{"boolean custom field", `{"ID":"1","UF_X":true}`, `{"ID":"1","UF_X":"1"}`},
		{"empty custom field", `{"ID":"1","UF_X":false}`, `{"ID":"1","UF_X":[]}`},
		{"empty custom field, absent", `{"ID":"1","UF_X":"0"}`, `{"ID":"1"}`},
		{"order of keys", `{"ID":"1","TITLE":"t","UF_X":{"a":1,"b":2}}`, `{"UF_X":{"b":2,"a":1},"TITLE":"t","ID":"1"}`},
		{"order of contacts", `{"ID":"1","PHONE":[{"ID":"2","VALUE":"b"},{"ID":"10","VALUE":"c"}]}`, `{"ID":"1","PHONE":[{"ID":"10","VALUE":"c"},{"ID":"2","VALUE":"b"}]}`},
		{"no contacts", `{"ID":"1","PHONE":[]}`, `{"ID":"1","EMAIL":false}`},
		{"volatile fields", `{"ID":"1","LAST_ACTIVITY_TIME":"2021-05-31T15:10:16+02:00"}`, `{"ID":"1","LAST_ACTIVITY_BY":"7"}`},
		{"token in a file's link", `{"ID":"1","UF_F":{"url":"https://x/?auth=abc&id=5"}}`, `{"ID":"1","UF_F":{"url":"https://x/?auth=xyz&id=5"}}`},
		{"escapes", `{"ID":"1","TITLE":"\u0451"}`, `{"ID":"1","TITLE":"ё"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, c.a), parse(t, c.b)
			if diff := leads.Diff(&a, &b); diff != nil || a.Hash() != b.Hash() {
				t.Errorf("differ in %v; hashes equal: %v", diff, a.Hash() == b.Hash())
			}
		})
	}
}

func TestDifferentCards(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want []string
	}{
		{`{"ID":"1","TITLE":"a"}`, `{"ID":"1","TITLE":"b"}`, []string{"TITLE"}},
		{`{"ID":"1","TITLE":"a"}`, `{"ID":"1","NAME":"a"}`, []string{"NAME", "TITLE"}},
		{`{"ID":"1","TITLE":"0"}`, `{"ID":"1"}`, []string{"TITLE"}},
		{`{"ID":"1","OPPORTUNITY":"0.00"}`, `{"ID":"1","OPPORTUNITY":"0"}`, []string{"OPPORTUNITY"}},
		{`{"ID":"1","DATE_CREATE":"2021-05-31T15:10:16+02:00"}`, `{"ID":"1","DATE_CREATE":"2021-05-31T15:10:16+03:00"}`, []string{"DATE_CREATE"}},
		{`{"ID":"1","UF_X":["1","2"]}`, `{"ID":"1","UF_X":["2","1"]}`, []string{"UF_X"}},
		{`{"ID":"1","UF_X":["1"]}`, `{"ID":"1","UF_X":["1","0"]}`, []string{"UF_X"}},
		{`{"ID":"1","PHONE":[{"ID":"1","VALUE":"5"}]}`, `{"ID":"1","PHONE":[{"ID":"1","VALUE":"5","VALUE_TYPE":"HOME"}]}`, []string{"PHONE"}},
		{`{"ID":"1","PHONE":[{"ID":"1","VALUE":"5"}]}`, `{"ID":"1","EMAIL":[{"ID":"1","VALUE":"5"}]}`, []string{"EMAIL", "PHONE"}},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if diff := cmp.Diff(c.want, leads.Diff(&a, &b)); diff != "" || a.Hash() == b.Hash() {
			t.Errorf("%s against %s: hashes equal %v, fields (-want +got):\n%s", c.a, c.b, a.Hash() == b.Hash(), diff)
		}
	}
}

func TestHashNamesItsVersion(t *testing.T) {
	lead := parse(t, `{"ID":"1"}`)
	if hash := lead.Hash(); !strings.HasPrefix(hash, leads.HashVersion) || len(hash) != len(leads.HashVersion)+64 {
		t.Errorf("hash %s", hash)
	}
}

// Two cards have the same hash if and only if they differ in no field.
func TestHashAgreesWithDiff(t *testing.T) {
	value := rapid.SampledFrom([]any{nil, "", "0", "1", "a", 0, 1, true, false, []any{}, []any{"1"}, map[string]any{"a": "1"}})
	names := rapid.SampledFrom([]string{"TITLE", "COMPANY_ID", "OPPORTUNITY", "UF_A", "UF_B", "LAST_ACTIVITY_BY", "DATE_CREATE"})
	rapid.Check(t, func(r *rapid.T) {
		var cards [2]leads.Lead
		for i := range cards {
			fields := rapid.MapOfN(names, value, 0, 4).Draw(r, fmt.Sprint("card", i))
			fields["ID"] = "1"
			raw, err := json.Marshal(fields)
			if err != nil {
				r.Fatal(err)
			}
			if cards[i], err = leads.Parse(raw); err != nil {
				r.Fatal(err)
			}
		}
		diff := leads.Diff(&cards[0], &cards[1])
		if same := cards[0].Hash() == cards[1].Hash(); same != (len(diff) == 0) {
			r.Fatalf("hashes equal: %v, differ in %v", same, diff)
		}
		if back := leads.Diff(&cards[1], &cards[0]); !cmp.Equal(diff, back) {
			r.Fatalf("differ in %v, the other way round in %v", diff, back)
		}
	})
}

func rowOf(lead *leads.Lead) leads.Row {
	r := leads.Row{
		Columns: make([]string, len(leads.Fields)), Raw: lead.Raw,
		CreatedAt: leads.Instant(lead.Value("DATE_CREATE")), ModifiedAt: leads.Instant(lead.Value("DATE_MODIFY")),
	}
	for i, f := range leads.Fields {
		r.Columns[i] = f.Column(lead.Values[i])
	}
	for _, c := range lead.Contacts {
		r.Contacts = append([]leads.Contact{c.Columns()}, r.Contacts...) // in any order
	}
	return r
}

func TestRowDifferences(t *testing.T) {
	lead := parse(t, `{"ID":"1","TITLE":"t","COMPANY_ID":"0","LAST_ACTIVITY_BY":"1","UF_X":"a","DATE_CREATE":"2021-05-31T15:10:16+02:00",
		"PHONE":[{"ID":"1","VALUE":"5"},{"ID":"2","VALUE":"`+strings.Repeat("6", 3000)+`"}]}`)
	column := func(name, value string) func(*leads.Row) {
		return func(r *leads.Row) {
			for i, f := range leads.Fields {
				if f.Name == name {
					r.Columns[i] = value
				}
			}
		}
	}
	for _, c := range []struct {
		name string
		edit func(*leads.Row)
		want []string
	}{
		{"as written", func(*leads.Row) {}, nil},
		{"a column", column("TITLE", "by hand"), []string{"TITLE"}},
		{"a column emptied", column("DATE_CREATE", ""), []string{"DATE_CREATE"}},
		{"the instant of creation", func(r *leads.Row) { r.CreatedAt = r.CreatedAt.Add(time.Hour) }, []string{"DATE_CREATE"}},
		{"the instant of the last change", func(r *leads.Row) { r.ModifiedAt = time.Unix(0, 0) }, []string{"DATE_MODIFY"}},
		{"a reference", column("COMPANY_ID", "5"), []string{"COMPANY_ID"}},
		{"a volatile field", column("LAST_ACTIVITY_BY", "2"), nil},
		{"a contact is missing", func(r *leads.Row) { r.Contacts = r.Contacts[:1] }, []string{"PHONE"}},
		{"one contact too many", func(r *leads.Row) { r.Contacts = append(r.Contacts, leads.Contact{TypeID: "WEB"}) }, []string{"WEB"}},
		{"a contact changed", func(r *leads.Row) { r.Contacts[1].Value = "7" }, []string{"PHONE"}},
		{"no stored card", func(r *leads.Row) { r.Raw = nil }, []string{"raw_json"}},
		{"a damaged card", func(r *leads.Row) { r.Raw = json.RawMessage(`{"ID":`) }, []string{"raw_json"}},
		{"a custom field", func(r *leads.Row) {
			r.Raw = json.RawMessage(strings.Replace(string(r.Raw), `"UF_X":"a"`, `"UF_X":"b"`, 1))
		}, []string{"UF_X"}},
		{"the offset of a time", func(r *leads.Row) {
			r.Raw = json.RawMessage(strings.Replace(string(r.Raw), "+02:00", "+03:00", 1))
		}, []string{"DATE_CREATE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rowOf(&lead)
			c.edit(&r)
			if diff := cmp.Diff(c.want, r.Differences(&lead)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, raw := range examples(t) {
		lead := parse(t, string(raw))
		if r := rowOf(&lead); r.Differences(&lead) != nil {
			t.Errorf("lead %d differs from itself in %v", lead.ID, r.Differences(&lead))
		}
	}
}
