package emulator_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
)

// eventCase says what causes a callback, and with which switches it has the keys of the
// documentation.
type eventCase struct {
	switches emulator.Switches
	anyOrder bool // the documentation shows them in another order than captures do
	cause    func(b *harness)
}

var asDocumented = emulator.Switches{NoUserKeys: true, EventRefreshToken: true}

// goldenEvents are the examples of callbacks, without their file extension.
var goldenEvents = map[string]eventCase{
	"event.ONCRMLEADADD.app":    {switches: asDocumented, cause: func(b *harness) { b.Add(1) }},
	"event.ONCRMLEADUPDATE.app": {switches: asDocumented, cause: func(b *harness) { b.MassEdit(1) }},
	"event.ONCRMLEADDELETE.app": {switches: asDocumented, cause: func(b *harness) {
		if id, ok := b.RandomID(); ok {
			_ = b.Delete(id)
		}
	}},
	"event.ONCRMLEADADD.outgoing-webhook": {cause: func(b *harness) { b.Add(1) }},
	"event.ONAPPINSTALL":                  {switches: emulator.Switches{NoUserKeys: true}, anyOrder: true, cause: func(*harness) {}},
	"event.ONAPPINSTALL.observed-shape":   {switches: emulator.Switches{NoHandlerID: true}, cause: func(*harness) {}},
	"event.ONAPPUPDATE":                   {switches: emulator.Switches{NoUserKeys: true}, anyOrder: true, cause: func(b *harness) { b.Update() }},
	"event.ONAPPUNINSTALL":                {switches: emulator.Switches{NoHandlerID: true}, anyOrder: true, cause: func(b *harness) { b.Uninstall(true) }},
	"event.ONAPPUSERREADY":                {anyOrder: true, cause: func(b *harness) { b.UserReady() }},
	"event.ONOFFLINEEVENT":                {switches: emulator.Switches{NoUserKeys: true, NoHandlerID: true}, cause: func(b *harness) { b.Add(1) }},
}

func TestCallbacksLookLikeTheExamples(t *testing.T) {
	for name, c := range goldenEvents {
		t.Run(name, func(t *testing.T) {
			b, r := start(t, emulator.Config{Leads: 3, NoLimits: true, Switches: c.switches}), receive(t)
			event := strings.Split(name, ".")[1]
			if strings.HasSuffix(name, "outgoing-webhook") {
				b.OutgoingWebhook(r.URL)
			} else {
				b.Install(r.URL, "http://127.0.0.1/callback")
				access, _ := b.authorize(t)
				b.rest(t, access, "event.bind", "event=ONCRMLEADADD&event_type=offline")
				if event != "ONAPPINSTALL" && event != "ONAPPUSERREADY" {
					b.rest(t, access, "event.bind", "event="+event+"&handler="+url.QueryEscape(r.URL))
				}
			}
			c.cause(b)
			for _, f := range b.drain(t, r) {
				if f.Get("event") == event {
					compareEvent(t, name, c.anyOrder, f.Get("raw"))
					return
				}
			}
			t.Error("it did not come")
		})
	}
}

// compareEvent compares the keys of a callback and their order with both forms of the example.
func compareEvent(t *testing.T, name string, anyOrder bool, raw string) {
	t.Helper()
	got := formKeys(t, raw)
	var want []string
	if strings.HasSuffix(name, "app") || strings.HasSuffix(name, "outgoing-webhook") || strings.HasSuffix(name, "observed-shape") {
		want = formKeys(t, strings.TrimSpace(string(example(t, name+".urlencoded"))))
	} else {
		text := tree(t, example(t, name+".json"))
		want = treeKeys("", text)
	}
	if anyOrder {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		t.Errorf("keys\ngot  %v\nwant %v", got, want)
	}
	if strings.ContainsAny(raw, "[]:,") {
		t.Errorf("not as http_build_query encodes: %s", raw)
	}
}

func formKeys(t *testing.T, raw string) []string {
	t.Helper()
	if _, err := bitrix24.ParseForm(raw); err != nil {
		t.Error(err)
	}
	var keys []string
	for pair := range strings.SplitSeq(raw, "&") {
		key, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			t.Error(err)
		}
		keys = append(keys, name)
	}
	return keys
}

// treeKeys are the keys that http_build_query writes for a tree; for an empty array it writes
// no key.
func treeKeys(at string, v any) []string {
	object, ok := v.([]member)
	if !ok {
		if list, ok := v.([]any); ok && len(list) == 0 {
			return nil
		}
		return []string{at}
	}
	var keys []string
	for _, m := range object {
		next := m.key
		if at != "" {
			next = at + "[" + m.key + "]"
		}
		keys = append(keys, treeKeys(next, m.val)...)
	}
	return keys
}

func TestTokenAnswerHasTheKeysOfAllSamples(t *testing.T) {
	b := start(t, emulator.Config{})
	_, refresh := b.authorize(t)
	r := b.token(t, "grant_type=refresh_token&refresh_token="+refresh)
	for _, file := range []string{"oauth.token.code.response.json", "oauth.token.refresh.response.json", "oauth.token.response.observed-shape.json"} {
		var want map[string]any
		if err := json.Unmarshal(example(t, file), &want); err != nil {
			t.Fatal(err)
		}
		for key := range want {
			if _, ok := r.tree[key]; !ok {
				t.Errorf("%s: %s is not in %s", file, key, r.body)
			}
		}
	}
}

func TestExampleRequests(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1700, Seed: 3, NoLimits: true})
	for _, method := range []string{"crm.lead.get", "crm.lead.update", "crm.lead.delete"} {
		if r := b.send(t, method+".request.json", ""); r.status != 200 || r.tree["result"] == nil {
			t.Errorf("%s: %d %.200s", method, r.status, r.body)
		}
	}
	r := b.send(t, "batch.request.linked.json", "")
	if errs, ok := r.part(t, "result_error").([]any); !ok || len(errs) != 0 {
		t.Errorf("linked batch: %s", r.body)
	}
	r = b.do(t, "POST", b.info.Webhook+"crm.lead.add", "application/x-www-form-urlencoded", strings.TrimSpace(string(example(t, "rest.form-body.lead-add.txt"))))
	lead, _ := b.hook(t, "crm.lead.get", `{"id":`+jsonText(t, r.tree["result"])+`}`).tree["result"].(map[string]any)
	if phones, _ := lead["PHONE"].([]any); len(phones) != 2 || lead["TITLE"] != "My company" {
		t.Errorf("%v", lead)
	}
	if r := b.send(t, "crm.lead.list.request.json", ""); r.status != 200 || r.tree["total"] == nil {
		t.Errorf("list: %d %.200s", r.status, r.body)
	}
}
