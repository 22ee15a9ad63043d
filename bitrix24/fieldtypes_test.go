package bitrix24_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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

// A portal with many fields returns them in pages.
func TestFieldTypesAreReadToTheEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		start, next := 50, ""
		if !strings.Contains(string(body), "50") {
			start, next = 0, `,"next":50`
		}
		fmt.Fprintf(w, `{"result":[{"FIELD_NAME":"UF_CRM_%d","USER_TYPE_ID":"string","MULTIPLE":"N"}]%s}`, start, next)
	}))
	defer server.Close()
	client := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/1/x/")})
	types, err := client.Leads().FieldTypes(t.Context())
	if err != nil || len(types) != 2 || types[1].Field != "UF_CRM_50" {
		t.Errorf("%+v, %v", types, err)
	}
}
