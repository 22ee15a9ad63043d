package bitrix24_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

// Whatever a server, or what stands before it, repeats of a request: no error shows a secret, has
// several lines, or is endless.
func TestNoErrorRepeatsWhatAServerRepeats(t *testing.T) {
	const hook, token, refresh, secret = "h00kh00kh00kh00k", "t0kent0kent0ken", "refre5hrefre5h", "5ecret5ecret5ecret"
	wire := func(answer string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, repeated string) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = fmt.Fprintf(conn, answer, repeated)
			_ = conn.Close()
		}
	}
	body := func(status int, text string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, repeated string) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, text, repeated)
		}
	}
	for name, answer := range map[string]func(http.ResponseWriter, string){
		"a redirect that is no address": wire("HTTP/1.1 302 Found\r\nLocation: https://new.example:port/%s\r\n\r\n"),
		"a header that is none":         wire("HTTP/1.1 301 Moved\r\nLocation: https://new.example/%s\x7f\r\n\r\n"),
		"a header without an end":       wire("HTTP/1.1 200 OK\r\nX https://new.example/%s" + strings.Repeat("x", 1<<16) + "\r\n\r\n"),
		"another protocol":              wire("NOPE/1 https://new.example/%s\r\n\r\n"),
		"a description":                 body(403, `{"error":"BLOCKED","error_description":"Blocked: %s\n2026 level=ERROR \u001b[31m"}`),
		"a code":                        body(403, `{"error":"blocked %s"}`),
		"a long code":                   body(400, `{"error":"`+strings.Repeat("A", 1<<16)+`%s"}`),
		"a map":                         body(403, `{"error":{"code":"BLOCKED","message":"%s"}}`),
		"a command of a batch":          body(200, `{"result":{"result":[],"result_error":{"l7":{"error":"","error_description":"no %s"}}}}`),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, _ := io.ReadAll(r.Body)
				answer(w, strings.NewReplacer(`"`, "'", "\\", "").Replace(strings.TrimPrefix(r.URL.Path, "/")+" "+string(sent)))
			}))
			defer server.Close()
			shown := func(_ any, err error) {
				t.Helper()
				if err != nil && (len(err.Error()) > 3000 || strings.ContainsAny(err.Error(), "\n\x1b")) {
					t.Errorf("%d bytes: %.200q", len(err.Error()), err)
				}
				for _, s := range []string{hook, token, refresh, secret} {
					if err != nil && strings.Contains(strings.ToLower(err.Error()), s) {
						t.Errorf("%s stands in %.500s", s, err)
					}
				}
			}
			atOnce := func(context.Context, time.Duration) error { return nil }
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for _, client := range []*bitrix24.Client{
				bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/1/" + hook + "/"), Wait: atOnce}),
				bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/"), Tokens: fixedToken(token), Wait: atOnce}),
			} {
				shown(client.Call(ctx, "crm.lead.get", nil))
				batch, err := client.Batch(ctx, []bitrix24.Command{{Key: "l7", Method: "crm.lead.get"}})
				shown(batch, err)
				if refusal := batch.Errors["l7"]; refusal != nil {
					shown(nil, refusal)
				}
			}
			trust := bitrix24.Trust{Insecure: []string{strings.TrimPrefix(server.URL, "http://")}}
			oauth := &bitrix24.OAuth{ClientID: "c", ClientSecret: secret, HTTP: bitrix24.NewHTTP(), Now: time.Now, Trust: trust}
			shown(oauth.Refresh(ctx, server.URL, refresh))
			shown(oauth.Exchange(ctx, server.URL, refresh))
			shown(oauth.AppInfo(ctx, server.URL, token))
		})
	}
}

// Anybody can post an installation with whatever bytes as its token.
func TestATokenThatIsNoUTF8IsRefused(t *testing.T) {
	const broken = "\xff\xfe\xc3(broken\xc0"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_token","error_description":"unknown: %s"}`, r.FormValue("auth"))
	}))
	defer server.Close()
	trust := bitrix24.Trust{Insecure: []string{strings.TrimPrefix(server.URL, "http://")}}
	oauth := &bitrix24.OAuth{ClientID: "c", HTTP: bitrix24.NewHTTP(), Now: time.Now, Trust: trust}
	if _, err := oauth.AppInfo(t.Context(), server.URL, broken); !strings.Contains(fmt.Sprint(err), "unknown: -") || strings.Contains(err.Error(), "broken") {
		t.Errorf("%v", err)
	}
}
