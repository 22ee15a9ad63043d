package bitrix24_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// URLs end up in the logs of everything between us and Bitrix24: no token, code or secret
// of an application stands in one. (An inbound webhook is a URL; that is how Bitrix24
// made them.)
func TestNoSecretTravelsInAURL(t *testing.T) {
	in := startInside(t, emulator.Config{Leads: 3, Seed: 1, AccessLife: time.Minute})
	var urls []string
	in.answer(func(r *http.Request) *http.Response {
		urls = append(urls, r.Method+" "+r.URL.String())
		return nil
	})
	oauth, info := in.oauth(), in.portal.Info()
	grant := in.install(t)
	store := &vault{grants: []leads.Grant{grant}}
	chain := &bitrix24.TokenSource{MemberID: info.MemberID, Server: insideServer, OAuth: oauth, Grants: store, By: "test"}
	client := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: insidePortal + "/rest/", HTTP: in.client(), Tokens: chain})
	if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
		t.Fatal(err)
	}
	in.portal.ExpireTokens() // the next one refreshes
	if _, err := client.Leads().Read(t.Context(), []int64{1}, draws()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Application().Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := store.grants[0]
	if _, err := oauth.AppInfo(t.Context(), insideServer, next.AccessToken); err != nil {
		t.Fatal(err)
	}
	if _, err := oauth.Exchange(t.Context(), insideServer, "the-c0de"); err == nil {
		t.Error("an invented code was exchanged")
	}
	if next.RefreshToken == grant.RefreshToken || len(urls) < 7 {
		t.Fatalf("too little was asked: %v", urls)
	}
	for _, secret := range []string{
		info.ClientSecret, "the-c0de", grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), next.AccessToken.Reveal(), next.RefreshToken.Reveal(),
	} {
		for _, asked := range urls {
			if strings.Contains(asked, secret) || strings.Contains(asked, url.QueryEscape(secret)) {
				t.Errorf("a secret stands in %s", asked)
			}
		}
	}
	for _, asked := range urls {
		if !strings.HasPrefix(asked, "POST ") || strings.Contains(asked, "?") {
			t.Errorf("asked by %s", asked)
		}
	}
}
