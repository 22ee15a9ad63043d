package emulator_test

import (
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestEventTestFiresWithItsParameters(t *testing.T) {
	b, r := start(t, emulator.Config{NoLimits: true}), receive(t)
	access, _ := b.authorize(t)
	b.rest(t, access, "event.bind", "event=ONAPPTEST&handler="+url.QueryEscape(r.URL))
	if got := b.rest(t, access, "event.test", "any=thing&list[]=a&list[]=b"); got.tree["result"] != 1.0 {
		t.Fatalf("%s", got.body)
	}
	f := b.drain(t, r)[0]
	if f.Get("data[QUERY][any]") != "thing" || f.Get("data[QUERY][list][1]") != "b" || f.Get("data[LANGUAGE_ID]") != "ru" ||
		f.Has("data[QUERY][auth]") {
		t.Errorf("%s", f.Get("raw"))
	}
	if cb := b.Callbacks()[0]; cb.Lead != nil || cb.Event != "ONAPPTEST" || cb.Status != 200 {
		t.Errorf("%+v", cb)
	}
}

func TestEventsAreListedByScope(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	access, _ := b.authorize(t)
	count := func(form string) (all, tasks int) {
		names, _ := b.rest(t, access, "events", form).tree["result"].([]any)
		for _, n := range names {
			if name, _ := n.(string); strings.HasPrefix(name, "ONTASK") {
				tasks++
			}
		}
		return len(names), tasks
	}
	if all, tasks := count(""); all < 50 || tasks != 0 {
		t.Errorf("own scopes: %d, %d of tasks", all, tasks)
	}
	if all, tasks := count("SCOPE=task"); all != tasks || tasks == 0 {
		t.Errorf("tasks: %d, %d of tasks", all, tasks)
	}
	if _, tasks := count("FULL=true"); tasks == 0 {
		t.Error("FULL lacks tasks")
	}
}

func TestWhatThePortalKnows(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true, Scope: []string{"crm"}})
	names, _ := b.hook(t, "methods", "").tree["result"].([]any)
	for _, n := range names {
		name, _ := n.(string)
		r := b.hook(t, name, "")
		if code, _ := r.tree["error"].(string); r.status == 404 || r.status >= 500 || code == "ERROR_METHOD_NOT_FOUND" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for name, want := range map[string]string{
		"crm.lead.get": `{"isAvailable":true,"isExisting":true}`, "user.current": `{"isAvailable":false,"isExisting":true}`,
		"crm.deal.get": `{"isAvailable":false,"isExisting":false}`,
	} {
		if got := jsonText(t, b.hook(t, "method.get", `{"name":"`+name+`"}`).tree["result"]); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := jsonText(t, b.hook(t, "scope", "").tree["result"]); got != `["crm"]` {
		t.Error(got)
	}
}
