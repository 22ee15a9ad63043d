package emulator_test

import (
	"net/http"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestErrorNullBesideResultsAndTokens(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	_, refresh := b.authorize(t)
	for _, on := range []bool{true, false} {
		b.SetFaults(emulator.Faults{ErrorNull: on})
		r := b.hook(t, "profile", "")
		value, there := r.tree["error"]
		if there != on || value != nil || r.tree["result"] == nil {
			t.Errorf("on %t: %s", on, r.body)
		}
		r = b.token(t, "grant_type=refresh_token&refresh_token="+refresh)
		value, there = r.tree["error"]
		refresh, _ = r.tree["refresh_token"].(string)
		if there != on || value != nil || refresh == "" {
			t.Errorf("tokens, on %t: %s", on, r.body)
		}
		refused := b.do(t, http.MethodGet, b.info.OAuth+"/oauth/token/?grant_type=refresh_token&refresh_token=x&client_id=x&client_secret=x", "", "")
		if string(refused.body) != `{"error":"wrong_client"}` { // with status 200
			t.Errorf("a refusal, on %t: %s", on, refused.body)
		}
	}
}

func TestGarbageAroundTheJSON(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	token, refresh := b.authorize(t)
	wants := map[string][2]string{
		"warning": {"<br />\n<b>Warning</b>", "}"}, "bom": {"\xef\xbb\xbf{", "}"},
		"spaces": {"\r\n\r\n  {", "}\r\n"}, "notice_after": {"{", "on line <b>7</b><br />\n"}, "": {"{", "}"},
	}
	for kind, want := range wants {
		b.SetFaults(emulator.Faults{Garbage: kind})
		pair := b.token(t, "grant_type=refresh_token&refresh_token="+refresh)
		_, rest, _ := strings.Cut(string(pair.body), `"refresh_token":"`)
		refresh, _, _ = strings.Cut(rest, `"`)
		for name, r := range map[string]reply{
			"result": b.hook(t, "profile", ""), "tokens": pair, "refusal": b.hook(t, "none", ""),
			"no tokens": b.token(t, "grant_type=refresh_token&refresh_token=x"),
			"app.info":  b.do(t, http.MethodGet, b.info.OAuth+"/rest/app.info?auth="+token, "", ""),
		} {
			if body := string(r.body); !strings.HasPrefix(body, want[0]) || !strings.HasSuffix(body, want[1]) {
				t.Errorf("%s, %s: %q", kind, name, body)
			}
		}
	}
	if len(wants) != len(emulator.FaultChoices()["garbage"])+1 {
		t.Error("a kind of garbage is not tried")
	}
}

func TestPagesInPlaceOfAnswers(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	for status, f := range map[int]emulator.Faults{502: {Error502: 1}, 200: {HTML200: 1}} {
		b.SetFaults(f)
		if r := b.hook(t, "crm.lead.add", ""); r.status != status || !strings.HasPrefix(string(r.body), "<html>") {
			t.Errorf("want %d: %d %s", status, r.status, r.body)
		}
	}
	b.SetFaults(emulator.Faults{})
	if r := b.hook(t, "crm.lead.add", ""); r.tree["result"] != 1.0 {
		t.Errorf("the call was executed before: %s", r.body)
	}
}
