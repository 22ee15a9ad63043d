package emulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestAllUrlAndBodyForms(t *testing.T) {
	b := start(t, emulator.Config{Leads: 60, Seed: 2, NoLimits: true})
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
	b := start(t, emulator.Config{NoLimits: true, Scope: []string{"user"}})
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
	b := start(t, emulator.Config{Leads: 2, NoLimits: true})
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
	b := start(t, emulator.Config{NoLimits: true})
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
	b := start(t, emulator.Config{NoLimits: true})
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
	b := start(t, emulator.Config{Leads: 10, Seed: 1, NoLimits: true})
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

func TestEmptyValuesAreWrittenInFourWays(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.hook(t, "crm.lead.add", "")
	lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any)
	for field, want := range map[string]any{
		"TITLE": nil, "NAME": "", "COMPANY_ID": nil, "BIRTHDATE": "", "DATE_CLOSED": "", "OPPORTUNITY": "0.00",
		"IS_RETURN_CUSTOMER": "N", "HAS_EMAIL": "N", "STATUS_SEMANTIC_ID": "P", "OPENED": "Y", "UF_CRM_1704817278": nil,
		"UF_CRM_1706782596092": nil, "UF_CRM_1708952993785": false, "UF_CRM_1724077760": false, "UF_CRM_HELLO_WORLD": false,
	} {
		if got, ok := lead[field]; got != want || !ok {
			t.Errorf("%s = %v, want %v", field, got, want)
		}
	}
	for _, name := range []string{"PHONE", "EMAIL", "WEB", "IM", "LINK", "CONTACT_IDS"} {
		if v, ok := lead[name]; ok {
			t.Errorf("%s is there: %v", name, v)
		}
	}
}

func TestFilledCustomFields(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true, Switches: emulator.Switches{BooleanText: true, DateOnly: true}})
	b.hook(t, "crm.lead.add", `{"fields":{"BIRTHDATE":"2000-01-31","OPPORTUNITY":"12.5","COMPANY_ID":7,"UF_CRM_1708952993785":true,
		"UF_CRM_1724077760":[3157,3159],"UF_CRM_NEXT_CALL":"2026-05-01T10:00:00Z","UF_CRM_1706782596092":"100|USD","READ_ONLY":1,"ID":99}}`)
	lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any)
	for field, want := range map[string]string{
		"ID": `"1"`, "BIRTHDATE": `"2000-01-31"`, "OPPORTUNITY": `"12.50"`, "COMPANY_ID": `"7"`, "IS_RETURN_CUSTOMER": `"Y"`,
		"UF_CRM_1708952993785": `"1"`, "UF_CRM_1724077760": `["3157","3159"]`, "UF_CRM_NEXT_CALL": `"2026-05-01T13:00:00+03:00"`,
		"UF_CRM_1706782596092": `"100|USD"`,
	} {
		if got := jsonText(t, lead[field]); got != want {
			t.Errorf("%s = %s, want %s", field, got, want)
		}
	}
}

func TestNextIsAbsentOnTheLastPage(t *testing.T) {
	b := start(t, emulator.Config{Leads: 100, NoLimits: true})
	for start, want := range map[string]any{"0": 50.0, "49": 50.0, "50": nil, "100": nil} {
		if r := b.hook(t, "crm.lead.list", `{"start":`+start+`,"select":["ID"]}`); r.tree["next"] != want || r.tree["total"] != 100.0 {
			t.Errorf("start %s: next %v, total %v", start, r.tree["next"], r.tree["total"])
		}
	}
}

func TestMultifieldRowsOfUnknownIdsAreIgnored(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.hook(t, "crm.lead.add", `{"fields":{"PHONE":[{"VALUE":"1"}]}}`)
	b.hook(t, "crm.lead.update", `{"id":1,"fields":{"PHONE":[{"ID":77,"VALUE":"2"},{"ID":78,"DELETE":"Y"}]}}`)
	lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any)
	if got := jsonText(t, lead["PHONE"]); got != `[{"ID":"1","TYPE_ID":"PHONE","VALUE":"1","VALUE_TYPE":"WORK"}]` {
		t.Error(got)
	}
}

func TestItemsKnowOr(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	for _, name := range []string{"a", "b", "c"} {
		b.hook(t, "crm.lead.add", `{"fields":{"TITLE":"`+name+`"}}`)
	}
	ids := func(filter string) string {
		result, _ := b.hook(t, "crm.item.list", `{"entityTypeId":1,"select":["id"],"filter":`+filter+`}`).tree["result"].(map[string]any)
		return jsonText(t, result["items"])
	}
	if got := ids(`{"0":{"logic":"OR","0":{"title":"a"},"1":{"=title":"c"}}}`); got != `[{"id":1},{"id":3}]` {
		t.Error(got)
	}
	if got := ids(`{"0":{"logic":"OR","0":{"title":"a"},"1":{"=title":"c"}},">id":1}`); got != `[{"id":3}]` {
		t.Error(got)
	}
	if got := ids(`{"0":{"0":{"title":"a"},"1":{"=title":"c"}}}`); got != `[]` {
		t.Error("without logic it is AND:", got)
	}
	b.hook(t, "crm.item.list", `{"entityTypeId":2}`).wantError(t, 400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type `2` is not supported")
}

func TestUnknownFilterKeys(t *testing.T) {
	b := start(t, emulator.Config{Leads: 3, NoLimits: true})
	if rows := b.hook(t, "crm.lead.list", `{"filter":{"DATE_MODIFIED":"x"}}`).rows(t); len(rows) != 3 {
		t.Errorf("an unknown key is not ignored: %d rows", len(rows))
	}
	b = start(t, emulator.Config{Leads: 3, NoLimits: true, Switches: emulator.Switches{RefuseFilterKeys: true}})
	b.hook(t, "crm.lead.list", `{"filter":{">DATE_MODIFIED":"x"}}`).
		wantError(t, 400, "INVALID_ARG_VALUE", "Invalid filter: field 'DATE_MODIFIED' is not allowed in filter")
}

func TestDateFiltersAreServerTime(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		b := start(t, emulator.Config{NoLimits: true, Switches: emulator.Switches{IgnoreDateOffset: ignore}})
		b.control(t, "PUT", "clock", `{"frozen":true,"now":"2026-11-01T12:00:00+03:00"}`)
		b.hook(t, "crm.lead.add", "")
		for value, want := range map[string]int{
			"2026-11-01T12:00:00": 1, "2026-11-01T12:00:01": 0, "2026-11-01 12:00:00": 1, "01.11.2026 12:00:00": 1, "2026-11-01": 1,
			"2026-11-01T09:00:00Z": 1, "2026-11-01T10:00:00Z": map[bool]int{false: 0, true: 1}[ignore], "nonsense": 0,
		} {
			if rows := b.hook(t, "crm.lead.list", `{"filter":{">=DATE_MODIFY":"`+value+`"}}`).rows(t); len(rows) != want {
				t.Errorf("ignore %t, %s: %d rows", ignore, value, len(rows))
			}
		}
	}
}

func TestSwitchesOfAnswers(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true, Switches: emulator.Switches{RawUnicode: true, NoOperating: true, SimpleMode: true, Files: true}})
	r := b.hook(t, "crm.status.list", "")
	if !strings.Contains(string(r.body), "Не обработан") || strings.Contains(string(r.body), "operating") {
		t.Errorf("%.300s", r.body)
	}
	id := b.hook(t, "crm.lead.add", `{"fields":{"TITLE":"x"}}`).tree["result"]
	b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, id)+`}`).wantError(t, 400, "", "Not found")
	if mode := b.hook(t, "crm.settings.mode.get", "").tree["result"]; mode != 2.0 {
		t.Errorf("mode %v", mode)
	}
}

func TestFileLinksCarryTheCallersToken(t *testing.T) {
	b := start(t, emulator.Config{Leads: 100, Seed: 1, NoLimits: true, Switches: emulator.Switches{Files: true}})
	access, _ := b.authorize(t)
	rows := b.rest(t, access, "crm.lead.list", "select[]=UF_*&start=-1").rows(t)
	seen := 0
	for _, row := range rows {
		files, _ := row["UF_CRM_1722578010"].([]any)
		for _, f := range files {
			file, _ := f.(map[string]any)
			link, _ := file["downloadUrl"].(string)
			if !strings.Contains(link, "auth="+access) {
				t.Errorf("link %s", link)
			}
			seen++
		}
	}
	if seen == 0 {
		t.Error("no lead has files")
	}
}
