package leads_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

// example is the result of one of the documentation's answers.
func example(tb testing.TB, name string) json.RawMessage {
	tb.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil {
		tb.Fatal(err)
	}
	return answer.Result
}

// examples are all cards of the documentation's answers.
func examples(tb testing.TB) []json.RawMessage {
	tb.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(example(tb, "crm.lead.list.response.json"), &list); err != nil {
		tb.Fatal(err)
	}
	return append(list, example(tb, "crm.lead.get.response.json"))
}

func parse(tb testing.TB, card string) leads.Lead {
	tb.Helper()
	lead, err := leads.Parse(json.RawMessage(card))
	if err != nil {
		tb.Fatalf("%s: %v", card, err)
	}
	return lead
}

func TestParseGet(t *testing.T) {
	lead := parse(t, string(example(t, "crm.lead.get.response.json")))
	if lead.ID != 123 {
		t.Errorf("id %d", lead.ID)
	}
	for name, want := range map[string]string{
		"TITLE": "Lead #1591", "HONORIFIC": "", "NAME": "", "OPPORTUNITY": "0.00", "ASSIGNED_BY_ID": "1",
		"DATE_CREATE": "2024-05-23T18:18:25+02:00", "DATE_CLOSED": "", "NO_SUCH_FIELD": "",
	} {
		if got := lead.Value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	want := []leads.Contact{
		{ID: "11660", TypeID: "IM", ValueType: "OPENLINE", Value: "imol|livechat|1|67|21"},
		{ID: "11658", TypeID: "PHONE", ValueType: "OTHER", Value: "+15454777777"},
	}
	if diff := cmp.Diff(want, lead.Contacts); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if len(lead.Custom) != 0 {
		t.Errorf("custom fields %v: a standard field is missing from Fields", lead.Custom)
	}
}

func TestParseList(t *testing.T) {
	lead := parse(t, string(examples(t)[1]))
	got := map[string]string{}
	for name, value := range lead.Custom {
		got[name] = string(value)
	}
	want := map[string]string{"UF_CRM_1704817278": "null", "UF_CRM_1706782596092": "null", "UF_CRM_1708952993785": "true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("custom fields (-want +got):\n%s", diff)
	}
	if lead.ID != 6 || lead.Value("LAST_NAME") != "Slayny" {
		t.Errorf("lead %d, %q", lead.ID, lead.Value("LAST_NAME"))
	}
}

// Fields are in the order of the documentation's card, and none is missing.
func TestFieldsAreThoseDocumented(t *testing.T) {
	dec := json.NewDecoder(strings.NewReader(string(example(t, "crm.lead.get.response.json"))))
	var names []string
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			break
		}
		switch v := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[v]
		case string:
			if depth == 1 {
				names = append(names, v)
				var value json.RawMessage
				if err := dec.Decode(&value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	want := []string{"ID"}
	for _, f := range leads.Fields {
		want = append(want, f.Name)
	}
	want = append(want, "PHONE", "IM")
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("fields (-ours +documented):\n%s", diff)
	}
}

func TestParseTakesScalarsOfAnyKind(t *testing.T) {
	lead := parse(t, ` { "ID" : 7 , "TITLE":1.50,"NAME":true,"POST":false,"COMMENTS":[],"ADDRESS":{},"OPPORTUNITY":1e3,
		"SOURCE_ID":null,"PHONE":{},"EMAIL":false,"WEB":null,"IM":"","LINK":[{"VALUE":5}],"UF_CRM_1": [ 1 , 2 ] } `)
	for name, want := range map[string]string{
		"TITLE": "1.50", "NAME": "Y", "POST": "", "COMMENTS": "", "ADDRESS": "", "OPPORTUNITY": "1e3", "SOURCE_ID": "",
	} {
		if got := lead.Value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := (&leads.Lead{}).Value("TITLE"); got != "" {
		t.Errorf("a lead without values has the title %q", got)
	}
	if diff := cmp.Diff([]leads.Contact{{TypeID: "LINK", Value: "5"}}, lead.Contacts); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if strings.ContainsAny(string(lead.Raw), " \n\t") {
		t.Errorf("raw is not compact: %s", lead.Raw)
	}
}

func TestParseRejectsWhatIsNotALead(t *testing.T) {
	for _, card := range []string{
		``, `null`, `[]`, `"x"`, `7`, `{`, `{}`, `{"ID":null}`, `{"ID":"0"}`, `{"ID":"-1"}`, `{"ID":"+1"}`, `{"ID":"1.5"}`, `{"ID":"x"}`,
		`{"ID":"2147483648"}`, `{"ID":true}`, `{"ID":["1"]}`, `{"ID":"1"}{"ID":"2"}`,
	} {
		if lead, err := leads.Parse(json.RawMessage(card)); !errors.Is(err, leads.ErrNoLead) {
			t.Errorf("%s: lead %d, %v", card, lead.ID, err)
		}
	}
}

// FuzzParse wants every card to be rejected or to become something that both databases can
// store, that parses to the same again, and that does not differ from itself.
func FuzzParse(f *testing.F) {
	for _, card := range examples(f) {
		f.Add([]byte(card))
	}
	for _, card := range []string{
		`{"ID":"1","TITLE":"a\u0000b","UF_X":{"a":[false,"0",{"b":null}]}}`, "{\"ID\":1,\"NAME\":\"\xff\"}",
		`{"ID":"1","PHONE":[{"ID":"2","VALUE":"x"},{"ID":"10"},{}]}`, `{"ID":"1","BIRTHDATE":"1752-01-01","UF":"https://x/?auth=1&b"}`,
	} {
		f.Add([]byte(card))
	}
	for _, card := range []string{ // lists as PHP may write them, and what is no list
		`{"ID":"1","PHONE":{"1":{"ID":"12","VALUE":"+79123456789"}},"UF_A":{"0":"a","2":"c"}}`,
		`{"ID":"1","EMAIL":{"10":{"VALUE":"b"},"-9":[],"9":{"VALUE":"a"}},"UF_A":{"x":{"3":"a"},"y":[{"01":1}]}}`,
		`{"ID":"1","PHONE":{"WORK":[{"VALUE":"5"}]},"WEB":"x","IM":[[{}]],"LINK":{"VALUE":"y"},"TITLE":["a"],"NAME":{"0":""}}`,
		`{"ID":"1","PHONE":{"0":null,"9223372036854775808":{"VALUE":"1"}},"UF_A":{"999999999999999999":"a","-0":""}}`,
		`{"ID":"1","UF_F":{"showUrl":"/x?auth=A&amp;id=1","u":"%3Ftoken%3Da%26b&sessid=%2526"},"COMMENTS":"/rest/1/abcdefghij1/abcdefghij2"}`,
	} {
		f.Add([]byte(card))
	}
	f.Fuzz(func(t *testing.T, card []byte) {
		lead, err := leads.Parse(card)
		if err != nil {
			if !errors.Is(err, leads.ErrNoLead) {
				t.Fatalf("unmarked error %v", err)
			}
			return
		}
		if lead.ID < 1 || lead.ID > leads.MaxID || !json.Valid(lead.Raw) {
			t.Fatalf("id %d, raw %s", lead.ID, lead.Raw)
		}
		for i, field := range leads.Fields {
			column := field.Column(lead.Values[i])
			if !utf8.ValidString(column) || strings.ContainsRune(column, 0) {
				t.Fatalf("%s: column %q", field.Name, column)
			}
			if again := field.Column(column); again != column {
				t.Fatalf("%s: %q read back as column is %q", field.Name, column, again)
			}
		}
		if whole := lead.Completed(nil); leads.Diff(&lead, whole) != nil {
			t.Fatalf("without its odd fields it differs in %v", leads.Diff(&lead, whole))
		}
		again, err := leads.Parse(lead.Raw)
		if err == nil && !slices.Equal(lead.Odd, again.Odd) {
			t.Fatalf("odd %v, read again %v", lead.Odd, again.Odd)
		}
		if err != nil || again.Hash() != lead.Hash() || leads.Diff(&lead, &again) != nil {
			t.Fatalf("its own raw form differs: %v, %v", err, leads.Diff(&lead, &again))
		}
		if !slices.IsSortedFunc(lead.Contacts, func(a, b leads.Contact) int { return strings.Compare(a.TypeID, b.TypeID) }) {
			t.Fatalf("contacts are not ordered: %v", lead.Contacts)
		}
	})
}
