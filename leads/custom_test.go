package leads_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestFieldValues(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        []leads.FieldValue
	}{
		{"text", `"на связи"`, []leads.FieldValue{{"UF_CRM_1", 0, "на связи"}}},
		{"number", `12.50`, []leads.FieldValue{{"UF_CRM_1", 0, "12.50"}}},
		{"true", `true`, []leads.FieldValue{{"UF_CRM_1", 0, "1"}}},
		{"several keep their places", `["3157",3159,"","3163"]`, []leads.FieldValue{{"UF_CRM_1", 0, "3157"}, {"UF_CRM_1", 1, "3159"}, {"UF_CRM_1", 3, "3163"}}},
		{"a file", `{"id":"7","showUrl":"/x?a=1&auth=secret&b=2"}`, []leads.FieldValue{{"UF_CRM_1", 0, `{"id":"7","showUrl":"/x?a=1&b=2"}`}}},
		{"files", `[{"id":1},{"id":2}]`, []leads.FieldValue{{"UF_CRM_1", 0, `{"id":"1"}`}, {"UF_CRM_1", 1, `{"id":"2"}`}}},
		{"a list in a list", `[["a","b"]]`, []leads.FieldValue{{"UF_CRM_1", 0, `["a","b"]`}}},
		{"null", `null`, nil},
		{"empty text", `""`, nil},
		{"zero", `"0"`, nil},
		{"false", `false`, nil},
		{"empty list", `[]`, nil},
		{"empty map", `{}`, nil},
		{"NUL in front", `"\u0000b"`, []leads.FieldValue{{"UF_CRM_1", 0, "\uFFFDb"}}},
		{"NUL within", `"a\u0000b"`, []leads.FieldValue{{"UF_CRM_1", 0, "a\uFFFDb"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := parse(t, `{"ID":"1","UF_CRM_1":`+c.value+`}`)
			if diff := cmp.Diff(c.want, lead.FieldValues()); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
	lead := parse(t, `{"ID":"1","TITLE":"t","PHONE":[{"ID":"1","VALUE":"2"}],"UF_CRM_B":"b","UF_CRM_A":"a","PARENT_ID_177":"5","uf_crm_b":"x","UF CRM":"y","`+
		strings.Repeat("U", 129)+`":"z"}`)
	want := []leads.FieldValue{{"PARENT_ID_177", 0, "5"}, {"UF_CRM_A", 0, "a"}, {"UF_CRM_B", 0, "b"}}
	if diff := cmp.Diff(want, lead.FieldValues()); diff != "" {
		t.Errorf("of a whole card (-want +got):\n%s", diff)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name, fields string
		want         []string
	}{
		{"nothing", `"TITLE":"t","BIRTHDATE":"","COMPANY_ID":"0","DATE_CREATE":"2021-05-31T15:10:16+02:00","COMMENTS":"` + strings.Repeat("x", 70_000) + `"`, nil},
		{"as long as the column", `"NAME":"` + strings.Repeat("я", 3000) + `"`, nil},
		{"one longer", `"NAME":"` + strings.Repeat("я", 3001) + `"`, []string{"NAME"}},
		{"emoji count twice", `"TITLE":"` + strings.Repeat("🙂", 2001) + `"`, []string{"TITLE"}},
		{"an invalid date", `"BIRTHDATE":"вчера"`, []string{"BIRTHDATE"}},
		{"a day before all datetimes", `"BIRTHDATE":"1752-12-31"`, []string{"BIRTHDATE"}},
		{"a contact, once", `"PHONE":[{"ID":"1","VALUE":"` + strings.Repeat("1", 2001) + `"},{"ID":"2","VALUE":"` + strings.Repeat("2", 2001) + `"}]`, []string{"PHONE"}},
		{"in order", `"TITLE":"` + strings.Repeat("t", 4001) + `","POST":"` + strings.Repeat("p", 3001) + `"`, []string{"POST", "TITLE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := parse(t, `{"ID":"1",`+c.fields+`}`)
			if diff := cmp.Diff(c.want, lead.Cut(nil)); diff != "" {
				t.Errorf("cut (-want +got):\n%s", diff)
			}
		})
	}
}
