package emulator_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

func (b *harness) control(tb testing.TB, method, path, body string) reply {
	tb.Helper()
	r := b.do(tb, method, b.info.Portal+"/_portal/"+path, "application/json", body)
	if r.status != http.StatusOK {
		tb.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return r
}

func TestControlSurfaceChangesLeads(t *testing.T) {
	b := start(t, emulator.Config{Leads: 3, Seed: 5})
	ids, _ := b.control(t, "POST", "leads", `{"count":2}`).tree["ids"].([]any)
	one, _ := b.control(t, "POST", "leads", `{"fields":{"TITLE":"Тест","PHONE":[{"VALUE":"555"}]}}`).tree["ids"].([]any)
	if len(ids) != 2 || len(one) != 1 {
		t.Fatalf("ids %v %v", ids, one)
	}
	id := jsonText(t, one[0])
	b.control(t, "PATCH", "leads/"+id, `{"fields":{"STATUS_ID":"JUNK"}}`)
	lead, _ := b.hook(t, "crm.lead.get", `{"id":`+id+`}`).tree["result"].(map[string]any)
	if lead["TITLE"] != "Тест" || lead["STATUS_SEMANTIC_ID"] != "F" || lead["DATE_CLOSED"] == "" || lead["HAS_PHONE"] != "Y" {
		t.Errorf("%v", lead)
	}
	b.control(t, "DELETE", "leads/"+id, "")
	r := b.control(t, "GET", "leads", "")
	lines := 0
	for s := bufio.NewScanner(bytes.NewReader(r.body)); s.Scan(); lines++ {
		if !json.Valid(s.Bytes()) || strings.Contains(s.Text(), `"ID":"`+id+`","TITLE"`) {
			t.Errorf("line %s", s.Text())
		}
	}
	if lines != 5 {
		t.Errorf("%d lines", lines)
	}
	if r := b.do(t, "PATCH", b.info.Portal+"/_portal/leads/"+id, "", "{}"); r.status != http.StatusNotFound {
		t.Errorf("patch of a deleted lead: %d", r.status)
	}
}

func jsonText(tb testing.TB, v any) string {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestFaultsAreMerged(t *testing.T) {
	b := start(t, emulator.Config{})
	b.control(t, "PUT", "faults", `{"lose":0.5,"slow_ms":3}`)
	b.control(t, "PUT", "faults", `{"repeat":0.25}`)
	if f := b.Faults(); f.Lose != 0.5 || f.Repeat != 0.25 || f.SlowMS != 3 {
		t.Errorf("%+v", f)
	}
	if r := b.do(t, "PUT", b.info.Portal+"/_portal/faults", "", `{"loose":1}`); r.status != http.StatusBadRequest {
		t.Errorf("a misspelt fault: %d %s", r.status, r.body)
	}
}

func TestVirtualClock(t *testing.T) {
	b := start(t, emulator.Config{})
	b.control(t, "PUT", "clock", `{"frozen":true,"now":"2027-01-01T10:00:00+03:00"}`)
	b.control(t, "PUT", "clock", `{"advance":60}`)
	if got := b.hook(t, "server.time", "").tree["result"]; got != "2027-01-01T10:01:00+03:00" {
		t.Errorf("server.time %v", got)
	}
	b.control(t, "PUT", "clock", `{"frozen":false}`)
	id := b.Add(1)[0]
	lead, _ := b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, id)+`}`).tree["result"].(map[string]any)
	text, _ := lead["DATE_CREATE"].(string)
	created, err := time.Parse(time.RFC3339, text)
	if err != nil || created.Year() != 2027 || !strings.HasSuffix(text, "+03:00") {
		t.Errorf("created %v", lead["DATE_CREATE"])
	}
}

func TestStatsAndInfoHaveTheContractsKeys(t *testing.T) {
	b := start(t, emulator.Config{})
	b.hook(t, "batch", `{"cmd":{"a":"server.time"}}`)
	for path, keys := range map[string]string{
		"stats": "requests commands refusals callbacks_pending callbacks_sent callbacks_failed callbacks_lost",
		"info":  "portal oauth member_id client_id client_secret webhook application_token webhook_application_token ca",
	} {
		r := b.control(t, "GET", path, "")
		for key := range strings.FieldsSeq(keys) {
			if _, ok := r.tree[key]; !ok {
				t.Errorf("%s lacks %s: %s", path, key, r.body)
			}
		}
	}
}

func TestSameSeedSamePortal(t *testing.T) {
	text := func(seed uint64) string {
		b := start(t, emulator.Config{Leads: 40, Seed: seed})
		var s strings.Builder
		for _, lead := range b.Leads() {
			s.Write(lead)
		}
		id, _ := b.RandomID()
		return s.String() + b.info.ClientID + b.info.ClientSecret + b.info.ApplicationToken + b.info.MemberID + jsonText(t, id)
	}
	once, again, other := text(7), text(7), text(8)
	if once != again {
		t.Error("the same seed makes different portals")
	}
	if once == other {
		t.Error("different seeds make the same portal")
	}
}

// A custom field that people add, rename or remove is so in descriptions and in cards.
func TestControlSurfaceChangesCustomFields(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1})
	shown := func() (list, fields, card string) {
		t.Helper()
		list = string(b.hook(t, "crm.lead.userfield.list", `{"filter":{"LANG":"en"}}`).body)
		return list, string(b.hook(t, "crm.lead.fields", "").body), string(b.hook(t, "crm.lead.get", `{"id":1}`).body)
	}
	b.control(t, "PUT", "fields/UF_CRM_NEW", `{"label":"New","type":"date"}`)
	b.control(t, "PUT", "fields/UF_CRM_NEXT_CALL", `{"label":"Call back","type":"date"}`)
	b.control(t, "DELETE", "fields/UF_CRM_1724077760", "")
	list, fields, card := shown()
	for what, text := range map[string]string{"list": list, "fields": fields} {
		if !strings.Contains(text, `"UF_CRM_NEW"`) || !strings.Contains(text, `"Call back"`) || strings.Contains(text, "UF_CRM_1724077760") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !strings.Contains(card, `"UF_CRM_NEW":null`) || strings.Contains(card, "UF_CRM_1724077760") {
		t.Errorf("card: %s", card)
	}
	b.control(t, "DELETE", "fields/UF_CRM_NEW", "")
	b.control(t, "PUT", "fields/UF_CRM_1724077760", `{"label":"Radio","type":"enumeration","multiple":true}`)
	if list, fields, card = shown(); strings.Contains(list+fields+card, "UF_CRM_NEW\"") || !strings.Contains(card, "UF_CRM_1724077760") {
		t.Errorf("%s\n%s\n%s", list, fields, card)
	}
	if r := b.do(t, "PUT", b.info.Portal+"/_portal/fields/TITLE", "", "{}"); r.status != http.StatusBadRequest {
		t.Errorf("a standard field: %d", r.status)
	}
	if r := b.do(t, "DELETE", b.info.Portal+"/_portal/fields/UF_CRM_NEW", "", ""); r.status != http.StatusNotFound {
		t.Errorf("a field that does not exist: %d", r.status)
	}
}

// Titles come only with their language (docs/bitrix24.md 6.4).
func TestUserFieldListHasNoTitlesWithoutTheirLanguage(t *testing.T) {
	b := start(t, emulator.Config{})
	if r := b.hook(t, "crm.lead.userfield.list", "{}"); strings.Contains(string(r.body), "EDIT_FORM_LABEL") {
		t.Errorf("%s", r.body)
	}
}
