package bitrix24_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

// Every proxy between leadsync and Bitrix24 may log URLs, so none contains a token, a code or
// a secret of an application. (The URL of an inbound webhook is its secret: Bitrix24 made it
// so.)
func TestNoSecretTravelsInAURL(t *testing.T) {
	h := emulatortest.New(t, emulator.Config{Leads: 3, Seed: 1, AccessLife: time.Minute})
	var urls []string
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		urls = append(urls, r.Method+" "+r.URL.String())
		return nil
	})
	oauth, info := h.OAuth(), h.Portal.Info()
	grant := h.Install(t)
	store := &tokenStore{grants: []leads.Grant{grant}}
	chain := &bitrix24.TokenSource{MemberID: info.MemberID, Server: emulatortest.OAuthURL, OAuth: oauth, Grants: store, By: "test"}
	client := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: emulatortest.PortalURL + "/rest/", HTTP: h.HTTP(), Tokens: chain})
	if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
		t.Fatal(err)
	}
	h.Portal.ExpireTokens() // the next one refreshes
	if _, err := client.Leads().Read(t.Context(), []int64{1}, draws()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Application().Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := store.grants[0]
	if _, err := oauth.AppInfo(t.Context(), emulatortest.OAuthURL, next.AccessToken); err != nil {
		t.Fatal(err)
	}
	if _, err := oauth.Exchange(t.Context(), emulatortest.OAuthURL, "the-c0de"); err == nil {
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
