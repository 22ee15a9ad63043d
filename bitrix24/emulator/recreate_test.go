package emulator_test

import (
	"net/http"
	"testing"

	"leadsync/bitrix24/emulator"
)

// Deleting a local application and adding it again gives a new one.
func TestRecreatingGivesAnotherIdentity(t *testing.T) {
	b, r := start(t, emulator.Config{}), receive(t)
	b.Install(r.URL+"/events", "")
	first := b.drain(t, r)[0]
	b.rest(t, first.Get("auth[access_token]"), "event.bind", "event=ONAPPUNINSTALL&handler="+r.URL+"/events")
	before := b.Info()
	got := b.do(t, http.MethodPost, b.info.Portal+"/_portal/recreate", "application/json", "{}")
	if got.status != http.StatusOK {
		t.Fatalf("answered %s", got.body)
	}
	now := b.Info()
	if now.ClientID == before.ClientID || now.ClientSecret == before.ClientSecret || now.ApplicationToken == before.ApplicationToken ||
		len(now.ClientID) != len(before.ClientID) || len(now.ClientSecret) != 50 || now.MemberID != before.MemberID {
		t.Errorf("now %+v, before %+v", now, before)
	}
	tokens := map[string]string{}
	var install string
	for _, form := range b.drain(t, r) {
		tokens[form.Get("event")] = form.Get("auth[application_token]")
		if form.Get("event") == "ONAPPINSTALL" {
			install = form.Get("auth[refresh_token]")
		}
	}
	if tokens["ONAPPUNINSTALL"] != before.ApplicationToken || tokens["ONAPPINSTALL"] != now.ApplicationToken {
		t.Errorf("application tokens %v", tokens)
	}
	b.rest(t, first.Get("auth[access_token]"), "app.info", "").wantError(t, 401, "NO_AUTH_FOUND", "Wrong authorization data")
	if got := b.token(t, "grant_type=refresh_token&refresh_token="+install); got.tree["error"] != "wrong_client" {
		t.Errorf("the former pair is answered %s", got.body)
	}
	b.info = now
	if got := b.token(t, "grant_type=refresh_token&refresh_token="+install); got.tree["access_token"] == nil {
		t.Errorf("the new pair is answered %s", got.body)
	}
}
