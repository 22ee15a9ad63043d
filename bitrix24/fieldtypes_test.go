package bitrix24_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

func TestFieldTypes(t *testing.T) {
	_, client := webhookClient(t, emulator.Config{Leads: 1})
	types, err := client.Leads().FieldTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]leads.FieldType{}
	for _, f := range types {
		byName[f.Field] = f
	}
	want := leads.FieldType{Field: "UF_CRM_1724077760", Type: "enumeration", Multiple: true, Label: "Radio"}
	if got := byName[want.Field]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := byName["UF_CRM_1387525788"]; got.Type != "string" || got.Multiple {
		t.Errorf("the solution field is %+v", got)
	}
}

// scriptedFields is a portal that answers the two methods with what is given; list gets the body of the
// request.
func scriptedFields(t *testing.T, list func(body string) string, fields string) *bitrix24.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(r.URL.Path, "userfield.list") {
			if strings.Contains(fields, `"error"`) {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = io.WriteString(w, fields)
			return
		}
		_, _ = io.WriteString(w, list(string(body)))
	}))
	t.Cleanup(server.Close)
	return bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/1/x/")})
}

const (
	noCustomFields = `{"result":{"ID":{"type":"integer"}}}`
	refusedFields  = `{"error":"ERROR_METHOD_NOT_FOUND","error_description":"Method not found!"}`
)

// The list, which is read where the description is refused, comes in pages.
func TestFieldTypesAreReadToTheEnd(t *testing.T) {
	client := scriptedFields(t, func(body string) string {
		start, next := 50, ""
		if !strings.Contains(body, "50") {
			start, next = 0, `,"next":50`
		}
		return fmt.Sprintf(`{"result":[{"FIELD_NAME":"UF_CRM_%d","USER_TYPE_ID":"string","MULTIPLE":"N"}]%s}`, start, next)
	}, refusedFields)
	types, err := client.Leads().FieldTypes(t.Context())
	if err != nil || len(types) != 2 || types[1].Field != "UF_CRM_50" {
		t.Errorf("%+v, %v", types, err)
	}
}

func TestFieldTypesOfOddAnswers(t *testing.T) {
	const row = `{"FIELD_NAME":"UF_CRM_A","USER_TYPE_ID":"string","MULTIPLE":"N"}`
	a := leads.FieldType{Field: "UF_CRM_A", Type: "string"}
	titled := a
	titled.Label = "Title"
	for _, test := range []struct {
		name, list, fields string
		want               []leads.FieldType // nil is an error
	}{
		{"a field with its title", `[]`, `{"result":{"ID":{},"UF_CRM_A":{"type":"string","formLabel":"Title","listLabel":"other"},"TITLE":{"type":"string"}}}`, []leads.FieldType{titled}},
		{"a title of lists alone", `[]`, `{"result":{"ID":{},"UF_CRM_A":{"type":"string","listLabel":"Title","formLabel":null}}}`, []leads.FieldType{titled}},
		{"no custom field", `[` + row + `]`, noCustomFields, []leads.FieldType{}},
		{"the description is a list", `[` + row + `]`, `{"result":[]}`, nil},
		{"the description is null", `[` + row + `]`, `{"result":null}`, nil},
		{"the description is a list of fields", `[` + row + `]`, `{"result":{"3":{"type":"string"}}}`, nil},
		{"a description is a text", `[` + row + `]`, `{"result":{"ID":{"type":"integer"},"UF_CRM_A":"string"}}`, nil},
		{"a description has no type", `[` + row + `]`, `{"result":{"ID":{},"UF_CRM_A":{"isMultiple":false}}}`, nil},
		{"refused: the list has no title", `[` + row + `]`, refusedFields, []leads.FieldType{a}},
		{"refused: the list has a title", `[{"FIELD_NAME":"UF_CRM_A","USER_TYPE_ID":"string","EDIT_FORM_LABEL":"Title"}]`, refusedFields, []leads.FieldType{titled}},
		{"refused: the list is empty", `[]`, refusedFields, []leads.FieldType{}},
		{"refused: the list is a map", `{"3":` + row + `}`, refusedFields, []leads.FieldType{a}},
		{"refused: the list is a text", `"nothing"`, refusedFields, nil},
		{"refused: a row is a text", `[` + row + `,"x"]`, refusedFields, nil},
		{"refused: a row has no name", `[` + row + `,{"USER_TYPE_ID":"string"}]`, refusedFields, nil},
		{"refused: a row has no type", `[{"FIELD_NAME":"UF_CRM_A","USER_TYPE_ID":null}]`, refusedFields, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := scriptedFields(t, func(string) string { return `{"result":` + test.list + `}` }, test.fields)
			got, err := client.Leads().FieldTypes(t.Context())
			if test.want == nil {
				if err == nil {
					t.Errorf("%+v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, append([]leads.FieldType{}, got...)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}
