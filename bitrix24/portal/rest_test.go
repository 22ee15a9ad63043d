package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/portal"
)

func TestAllUrlAndBodyForms(t *testing.T) {
	b := start(t, portal.Config{Leads: 60, Seed: 2, NoLimits: true})
	access, _ := b.authorize(t)
	token := "auth=" + access
	multipart := "--X\r\nContent-Disposition: form-data; name=\"FILTER[<ID]\"\r\n\r\n10\r\n" +
		"--X\r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n" + access + "\r\n--X--\r\n"
	rest := b.info.Portal + "/rest/"
	for name, c := range map[string]struct{ method, address, kind, body string }{
		"query":                 {"GET", rest + "crm.lead.list?filter%5B%3CID%5D=10&" + token, "", ""},
		"query, raw brackets":   {"GET", rest + "crm.lead.list?filter[<ID]=10&" + token, "", ""},
		".json":                 {"GET", rest + "crm.lead.list.json?filter[<ID]=10&" + token, "", ""},
		"slash":                 {"POST", rest + "crm.lead.list/?" + token, "application/x-www-form-urlencoded", "filter[<ID]=10"},
		"form":                  {"POST", rest + "crm.lead.list", "application/x-www-form-urlencoded", "filter%5B%3CID%5D=10&" + token},
		"multipart":             {"POST", rest + "crm.lead.list", "multipart/form-data; boundary=X", multipart},
		"json":                  {"POST", rest + "crm.lead.list", "application/json", `{"Filter":{"<ID":10},"auth":"` + access + `"}`},
		"json, token in query":  {"POST", rest + "crm.lead.list?" + token, "application/json; charset=utf-8", `{"filter":{"<ID":"10"}}`},
		"method in capitals":    {"GET", rest + "CRM.Lead.LIST?filter[<ID]=10&" + token, "", ""},
		"webhook":               {"POST", b.info.Webhook + "crm.lead.list", "application/json", `{"filter":{"<ID":10}}`},
		"webhook, .json, slash": {"GET", b.info.Webhook + "crm.lead.list.json/?filter[<ID]=10", "", ""},
		"unknown parameter":     {"GET", rest + "crm.lead.list?bx24_request_id=1&filter[<ID]=10&" + token, "", ""},
	} {
		r := b.do(t, c.method, strings.ReplaceAll(c.address, "<", "%3C"), c.kind, c.body)
		if rows := r.rows(t); len(rows) == 0 || len(rows) > 9 || r.tree["total"] != float64(len(rows)) {
			t.Errorf("%s: %d rows, total %v", name, len(rows), r.tree["total"])
		}
	}
}

func TestAuthorizationErrors(t *testing.T) {
	b := start(t, portal.Config{NoLimits: true, Scope: []string{"user"}})
	b.do(t, "GET", b.info.Portal+"/rest/profile", "", "").wantError(t, 401, "NO_AUTH_FOUND", "Wrong authorization data")
	b.do(t, "GET", b.info.Portal+"/rest/1/wrong/profile", "", "").wantError(t, 401, "NO_AUTH_FOUND", "Wrong authorization data")
	b.hook(t, "app.info", "").wantError(t, 403, "ACCESS_DENIED", "Access denied! Application context required")
	b.hook(t, "no.such.method", "").wantError(t, 404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
	access, _ := b.authorize(t)
	b.rest(t, access, "crm.lead.list", "").wantError(t, 403, "insufficient_scope",
		"The request requires higher privileges than provided by the access token")
	b.hook(t, "crm.lead.list", "").wantError(t, 403, "insufficient_scope",
		"The request requires higher privileges than provided by the webhook token")
}

func TestLeadErrorsHaveNoCode(t *testing.T) {
	b := start(t, portal.Config{Leads: 2, NoLimits: true})
	for _, method := range []string{"crm.lead.get", "crm.lead.update", "crm.lead.delete"} {
		for _, id := range []string{"0", "-1", `"x"`, `""`, "null"} {
			b.hook(t, method, `{"id":`+id+`}`).wantError(t, 400, "", "ID is not defined or invalid.")
		}
		b.hook(t, method, "").wantError(t, 400, "", "ID is not defined or invalid.")
		b.hook(t, method, `{"id":12345}`).wantError(t, 400, "", "Not found")
	}
	b.hook(t, "crm.lead.list", `{"filter":"x"}`).wantError(t, 400, "", "Parameter 'filter' must be array.")
}

func TestMultifieldsAreEditedRowByRow(t *testing.T) {
	b := start(t, portal.Config{NoLimits: true})
	phones := func() []any {
		lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any)
		rows, _ := lead["PHONE"].([]any)
		return rows
	}
	b.hook(t, "crm.lead.add", `{"fields":{"PHONE":[{"VALUE":"1"},{"VALUE":"2","VALUE_TYPE":"HOME"},{"VALUE":"3"}]}}`)
	b.hook(t, "crm.lead.update", `{"id":1,"fields":{"PHONE":[{"ID":1,"DELETE":"Y"},{"ID":2,"VALUE":""},{"ID":3},{"VALUE":"4"}]}}`)
	b.hook(t, "crm.lead.update", `{"id":1,"fields":{"PHONE":[{"ID":3,"VALUE":"33","VALUE_TYPE":"MOBILE"}]}}`)
	want := `[{"ID":"3","TYPE_ID":"PHONE","VALUE":"33","VALUE_TYPE":"MOBILE"},{"ID":"4","TYPE_ID":"PHONE","VALUE":"4","VALUE_TYPE":"WORK"}]`
	if got := jsonText(t, phones()); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	b.hook(t, "crm.lead.update", `{"id":1,"fields":{"PHONE":[{"ID":3,"DELETE":"Y"},{"ID":4,"DELETE":"Y"}]}}`)
	if lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any); lead["HAS_PHONE"] != "N" || lead["PHONE"] != nil {
		t.Errorf("phones left: %v", lead["PHONE"])
	}
}

func TestTextsArriveAsTheyWereSent(t *testing.T) {
	b := start(t, portal.Config{NoLimits: true})
	const text = "a+b %25 'q' \"d\" \\ / \t\r\n 👍 ёЖ <b>&amp;</b>"
	b.hook(t, "crm.lead.add", `{"fields":{"COMMENTS":`+jsonText(t, text)+`}}`)
	b.do(t, "POST", b.info.Webhook+"crm.lead.add", "application/x-www-form-urlencoded", "fields[COMMENTS]="+url.QueryEscape(text))
	for id := range 2 {
		r := b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, id+1)+`}`)
		lead, _ := r.tree["result"].(map[string]any)
		if lead["COMMENTS"] != text {
			t.Errorf("%q", lead["COMMENTS"])
		}
		if raw := string(r.body); !strings.Contains(raw, `\/`) || !strings.Contains(raw, `\ud83d\udc4d`) || strings.Contains(raw, "ё") {
			t.Errorf("not PHP's JSON: %s", raw)
		}
	}
}

func TestIdsAreNeverUsedAgain(t *testing.T) {
	b := start(t, portal.Config{Leads: 10, Seed: 1, NoLimits: true})
	a := b.Add(1)[0]
	if err := b.Delete(a); err != nil {
		t.Fatal(err)
	}
	if c := b.Add(1)[0]; c <= a {
		t.Errorf("id %d after %d", c, a)
	}
	if r := b.do(t, http.MethodGet, b.info.Portal+"/nothing", "", ""); r.status != http.StatusNotFound {
		t.Errorf("unknown path: %d", r.status)
	}
}
