package leads_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestListsMayBeMapsWithWholeNumberKeys(t *testing.T) {
	for _, c := range []struct{ name, list, asMap string }{
		{"contacts with a hole", `"PHONE":[{"ID":"12","VALUE":"+79123456789"}]`, `"PHONE":{"1":{"ID":"12","VALUE":"+79123456789"}}`},
		{"contacts in another order", `"EMAIL":[{"ID":"1","VALUE":"a"},{"ID":"2","VALUE":"b"}]`, `"EMAIL":{"10":{"ID":"2","VALUE":"b"},"9":{"ID":"1","VALUE":"a"}}`},
		{"one contact without a list", `"PHONE":[{"ID":"12","VALUE":"5"}]`, `"PHONE":{"ID":"12","VALUE":"5"}`},
		{"empty contacts in a list", `"PHONE":[]`, `"PHONE":{"0":null,"3":[],"4":""}`},
		{"several values with a hole", `"UF_A":["a","c"]`, `"UF_A":{"0":"a","2":"c"}`},
		{"several values, the keys as texts sort otherwise", `"UF_A":["a","b","c"]`, `"UF_A":{"10":"c","2":"b","-1":"a"}`},
		{"a list in a list", `"UF_A":[["a","b"]]`, `"UF_A":[{"1":"a","7":"b"}]`},
		{"a list in a map", `"UF_A":{"x":["a"]}`, `"UF_A":{"x":{"3":"a"}}`},
		{"a map's empty members", `"UF_A":{"x":"a"}`, `"UF_A":{"x":"a","y":null,"z":[],"v":""}`},
		{"nothing but empty elements", `"UF_A":null`, `"UF_A":{"4":"","5":null}`},
		{"empty standard fields", `"TITLE":"","NAME":null`, `"TITLE":{"0":""},"NAME":[]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, `{"ID":"1",`+c.list+`}`), parse(t, `{"ID":"1",`+c.asMap+`}`)
			if diff := leads.Diff(&a, &b); diff != nil || a.Hash() != b.Hash() || b.Odd != nil {
				t.Errorf("differ in %v, odd %v", diff, b.Odd)
			}
			if diff := cmp.Diff(a.Contacts, b.Contacts); diff != "" {
				t.Errorf("contacts (-list +map):\n%s", diff)
			}
			if diff := cmp.Diff(a.FieldValues(), b.FieldValues()); diff != "" {
				t.Errorf("values (-list +map):\n%s", diff)
			}
			if row := rowOf(&a); row.Differences(&b) != nil {
				t.Errorf("the row of the list differs in %v", row.Differences(&b))
			}
		})
	}
	lead := parse(t, `{"ID":"1","UF_A":{"01":"a","x":"b"}}`)
	if got := lead.FieldValues(); len(got) != 1 {
		t.Errorf("a map with other keys became %v", got)
	}
}

func TestOddValuesKeepWhatTheRowHas(t *testing.T) {
	const whole = `{"ID":"1","TITLE":"t","PHONE":[{"ID":"7","VALUE_TYPE":"WORK","VALUE":"8 912 345-01-15","TYPE_ID":"PHONE"}],"UF_A":"a<b"}`
	stored := parse(t, whole)
	row := rowOf(&stored)
	adopted := row
	adopted.Raw = nil
	for _, c := range []struct{ name, odd, field string }{
		{"text", `"TITLE":"t","PHONE":"+79123450115"`, "PHONE"},
		{"number", `"TITLE":"t","PHONE":79123450115`, "PHONE"},
		{"true", `"TITLE":"t","PHONE":true`, "PHONE"},
		{"map that is no contact", `"TITLE":"t","PHONE":{"WORK":[{"VALUE":"5"}]}`, "PHONE"},
		{"text in the list", `"TITLE":"t","PHONE":["5"]`, "PHONE"},
		{"list in the list", `"TITLE":"t","PHONE":[[{"VALUE":"5"}]]`, "PHONE"},
		{"value that is a list", `"TITLE":"t","PHONE":[{"VALUE":["5"]}]`, "PHONE"},
		{"list for a text", `"TITLE":["other"],"PHONE":[{"ID":"7","VALUE_TYPE":"WORK","VALUE":"8 912 345-01-15","TYPE_ID":"PHONE"}]`, "TITLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := parse(t, `{"ID":"1","UF_A":"a<b",`+c.odd+`}`)
			if len(lead.Odd) != 1 || lead.Odd[0].Field != c.field || lead.Odd[0].Reason() == "" {
				t.Fatalf("odd %v, want %s", lead.Odd, c.field)
			}
			for name, r := range map[string]*leads.Row{"with a card": &row, "adopted": &adopted} {
				got := lead.Completed(r)
				if diff := leads.Diff(&stored, got); diff != nil || !cmp.Equal(stored.Contacts, got.Contacts) {
					t.Errorf("%s: completed differs in %v: %s", name, diff, got.Raw)
				}
			}
			if diff := row.Differences(&lead); diff != nil {
				t.Errorf("the row is stale in %v", diff)
			}
			again, err := leads.Parse(lead.Completed(&row).Raw)
			if err != nil || again.Odd != nil {
				t.Errorf("what is stored is odd: %v, %v", again.Odd, err)
			}
			if fresh := lead.Completed(nil); json.Valid(fresh.Raw) && (len(fresh.Odd) != 1 || fresh.Value(c.field) != "") {
				t.Errorf("a new lead: %s", fresh.Raw)
			}
		})
	}
	lead := parse(t, `{"ID":"1","TITLE":"new","UF_A":"a<b","PHONE":"x"}`)
	if diff := cmp.Diff([]string{"TITLE"}, row.Differences(&lead)); diff != "" {
		t.Errorf("the other fields (-want +got):\n%s", diff)
	}
	wasOdd := rowOf(&lead) // a row of an earlier version, which stored such cards
	if again := lead.Completed(&wasOdd); len(again.Contacts) != 0 || leads.Diff(again, &lead) != nil {
		t.Errorf("of an odd row: %s", again.Raw)
	}
}

func TestContactsHaveTheTypeOfTheirField(t *testing.T) {
	for _, typeID := range []string{`"PHONE"`, `"phone"`, `" PHONE"`, `"EMAIL"`, `3`, `true`, `null`, `""`} {
		lead := parse(t, `{"ID":"1","PHONE":[{"ID":"12","VALUE_TYPE":"WORK","VALUE":"+79123456789","TYPE_ID":`+typeID+`}]}`)
		want := []leads.Contact{{ID: "12", TypeID: "PHONE", ValueType: "WORK", Value: "+79123456789"}}
		if diff := cmp.Diff(want, lead.Contacts); diff != "" || len(lead.Phones("RU")) != 1 {
			t.Errorf("TYPE_ID %s: %d numbers (-want +got):\n%s", typeID, len(lead.Phones("RU")), diff)
		}
	}
}

func TestWholeNumbersMayHaveAFraction(t *testing.T) {
	const whole = `{"ID":"15","ASSIGNED_BY_ID":"7","COMPANY_ID":"0","OPPORTUNITY":"1000","PHONE":[{"ID":"2","VALUE":"79123456789"}]}`
	for _, card := range []string{
		whole, `{"ID":15.0,"ASSIGNED_BY_ID":7.0,"COMPANY_ID":0.0,"OPPORTUNITY":1000.00,"PHONE":[{"ID":2.0,"VALUE":79123456789.0}]}`,
		`{"ID":" 15.0 ","ASSIGNED_BY_ID":7,"COMPANY_ID":null,"OPPORTUNITY":1000,"PHONE":[{"ID":2,"VALUE":79123456789}]}`,
	} {
		a, b := parse(t, whole), parse(t, card)
		if diff := leads.Diff(&a, &b); diff != nil || b.ID != 15 || !cmp.Equal(a.Phones("RU"), b.Phones("RU")) {
			t.Errorf("%s: lead %d differs in %v, numbers %v", card, b.ID, diff, b.Phones("RU"))
		}
	}
	lead := parse(t, `{"ID":1,"OPPORTUNITY":1000.50,"TITLE":"7.0","NAME":1.0E+25}`)
	if lead.Value("OPPORTUNITY") != "1000.50" || lead.Value("TITLE") != "7.0" || lead.Value("NAME") != "1.0E+25" {
		t.Errorf("what is no whole number, or a text, became %q", lead.Values)
	}
}

// Subscribers get the card as it is stored, and JSON is UTF-8.
func TestCardsAreUTF8(t *testing.T) {
	lead := parse(t, "{\"ID\":\"1\",\"TITLE\":\"\xcf\xf0\",\"UF_A\":\"a\xff\"}")
	if !utf8.Valid(lead.Raw) || lead.Value("TITLE") != "\uFFFD\uFFFD" {
		t.Errorf("%q, title %q", lead.Raw, lead.Value("TITLE"))
	}
	if values := lead.FieldValues(); len(values) != 1 || values[0].Value != "a\uFFFD" {
		t.Errorf("values %v", values)
	}
}
