package emulator_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestRobotPostsToTheEventsAddress(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 15}), receive(t)
	if got := b.do(t, "POST", b.info.Portal+"/_portal/robot", "", `{"lead":15}`); got.status != http.StatusBadRequest {
		t.Errorf("without an address: %d %s", got.status, got.body)
	}
	b.OutgoingWebhook(r.URL)
	b.control(t, "POST", "robot", `{"lead":15}`)
	f := b.drain(t, r)[0]
	if f.Get("document_id[2]") != "LEAD_15" || f.Get("document_id[1]") != "CCrmDocumentLead" || f.Get("auth[member_id]") != b.info.MemberID {
		t.Errorf("%v", f)
	}
	if f.Has("event") || f.Has("auth[application_token]") || f.Has("auth[access_token]") {
		t.Errorf("a robot has no token: %v", f)
	}
}

func TestOpenedApplicationPage(t *testing.T) {
	b := start(t, emulator.Config{})
	opened := make(chan [2]url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if form, _ := url.ParseQuery(string(body)); form.Has("PLACEMENT") { // else it is a callback
			opened <- [2]url.Values{r.URL.Query(), form}
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("tick the box"))
	}))
	t.Cleanup(app.Close)
	b.Install(app.URL+"/events", "http://127.0.0.1/callback")
	page := b.control(t, "POST", "open-app", `{"user":7,"lang":"en"}`).tree
	if page["status"] != 200.0 || page["body"] != "tick the box" || page["content_type"] != "text/html" {
		t.Fatalf("%v", page)
	}
	got := <-opened
	query, form := got[0], got[1]
	if query.Get("LANG") != "en" || query.Get("DOMAIN") == "" || form.Get("member_id") != b.info.MemberID || form.Get("PLACEMENT") != "DEFAULT" {
		t.Errorf("%v %v", query, form)
	}
	profile, _ := b.rest(t, form.Get("AUTH_ID"), "profile", "").tree["result"].(map[string]any)
	if profile["ID"] != "7" {
		t.Errorf("the token is not the user's: %v", profile)
	}
	if r := b.do(t, "POST", b.info.Portal+"/_portal/open-app", "", `{"url":"nowhere"}`); r.status != http.StatusBadRequest {
		t.Errorf("an address without a host: %d", r.status)
	}
}

func TestWebhookForEachEvent(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 3, NoLimits: true}), receive(t)
	b.control(t, "POST", "webhook", `{"url":"`+r.URL+`","each":true}`)
	tokens, seen := map[string]string{}, map[string]bool{}
	for _, h := range b.Info().OutgoingWebhooks {
		tokens[h.Events[0]], seen[h.ApplicationToken] = h.ApplicationToken, true
	}
	if len(tokens) != 3 || len(seen) != 3 || seen[b.info.WebhookApplicationToken] {
		t.Fatalf("%v", tokens)
	}
	b.Add(1)
	b.MassEdit(1)
	if err := b.Delete(1); err != nil {
		t.Fatal(err)
	}
	forms := b.drain(t, r)
	for _, f := range forms {
		if f.Get("auth[application_token]") != tokens[f.Get("event")] {
			t.Errorf("%s comes with a wrong token", f.Get("event"))
		}
	}
	b.OutgoingWebhook(r.URL)
	hooks := b.Info().OutgoingWebhooks
	if len(forms) != 3 || len(hooks) != 1 || len(hooks[0].Events) != 3 || hooks[0].ApplicationToken != b.info.WebhookApplicationToken {
		t.Errorf("%d callbacks, then one webhook again: %v", len(forms), hooks)
	}
}

func TestSlashesInTheHandlersPath(t *testing.T) {
	b := start(t, emulator.Config{Leads: 3, NoLimits: true})
	paths := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	t.Cleanup(app.Close)
	b.OutgoingWebhook(app.URL + "/bitrix24/events")
	for kind, want := range map[string]string{
		"end": "/bitrix24/events/", "start": "//bitrix24/events", "middle": "/bitrix24//events", "": "/bitrix24/events",
	} {
		b.SetFaults(emulator.Faults{PathSlash: kind})
		b.MassEdit(1)
		if got := <-paths; got != want {
			t.Errorf("%q: %s", kind, got)
		}
	}
}

func TestSimpleModeCanBeSwitchedOn(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 30, Seed: 1, NoLimits: true}), receive(t)
	b.OutgoingWebhook(r.URL)
	mode := func() any { return b.hook(t, "crm.settings.mode.get", "").tree["result"] }
	open := func() int { return len(b.hook(t, "crm.lead.list", `{"filter":{"STATUS_SEMANTIC_ID":"P"}}`).rows(t)) }
	if mode() != 1.0 || open() == 0 {
		t.Fatalf("mode %v, %d open leads", mode(), open())
	}
	b.control(t, "PUT", "faults", `{"simple_mode":true}`)
	if mode() != 2.0 || open() != 0 || len(truths(t, b.Portal)) != 30 {
		t.Errorf("mode %v, %d open leads", mode(), open())
	}
	id := b.Add(1)[0]
	forms := b.drain(t, r)
	if len(forms) != 1 || forms[0].Get("event") != "ONCRMLEADADD" {
		t.Errorf("conversion sends callbacks, or a new lead none: %v", forms)
	}
	b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, id)+`}`).wantError(t, 400, "", "Not found")
	b.SetFaults(emulator.Faults{})
	if mode() != 1.0 || len(b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, b.Add(1)[0])+`}`).body) == 0 {
		t.Error("the simple mode stays")
	}
}

func TestWrongFaultsAreRefused(t *testing.T) {
	b := start(t, emulator.Config{})
	for body, word := range map[string]string{
		`{"garbage":"bomb"}`: "bom", `{"unencodable":"1,x"}`: "ids", `{"dismissed":4}`: "512", `{"odd_ids":"7"}`: "big",
		`{"path_slash":"no"}`: "middle", `{"refuse_commands":"NO"}`: "insufficient_scope", `{"unencodable_as":"x"}`: "cut", `{"loose":1}`: "loose",
	} {
		r := b.do(t, "PUT", b.info.Portal+"/_portal/faults", "", body)
		if text, _ := r.tree["error"].(string); r.status != http.StatusBadRequest || !strings.Contains(text, word) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if f := b.Faults(); f != (emulator.Faults{}) {
		t.Errorf("%+v", f)
	}
	if _, err := emulator.New(emulator.Config{Faults: emulator.Faults{Garbage: "bomb"}}); err == nil {
		t.Error("a portal starts with a fault that does not exist")
	}
}
