package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

// loggedIn makes the portal known by the redirect alone, and returns an access token of
// it, as a user's callback carries one.
func (f *face) loggedIn() leads.Secret {
	f.t.Helper()
	if status, text := f.get(path(f.begin())); status != http.StatusOK {
		f.t.Fatalf("answered %d: %s", status, text)
	}
	grant, _, err := f.db.Grant(f.t.Context(), f.portal.Info().MemberID)
	if err != nil {
		f.t.Fatal(err)
	}
	return grant.AccessToken
}

func (f *face) leadCallback(applicationToken string, access leads.Secret) int {
	f.t.Helper()
	body := callback("ONCRMLEADADD", f.portal.Info().MemberID, applicationToken, "7")
	if access != "" {
		body += "&" + url.Values{"auth[access_token]": {access.Reveal()}, "auth[server_endpoint]": {"https://evil.example.com/rest/"}}.Encode()
	}
	status, _ := f.post(body)
	f.clock.advance(2 * time.Second)
	return status
}

func TestAPortalThatLoggedInTeachesItsApplicationToken(t *testing.T) {
	f := open(t, nil)
	access := f.loggedIn()
	const token = "5185c3b1d0b0b5e0b1b0c3b1d0b0b5e0"
	for _, test := range []struct {
		name   string
		token  string
		access leads.Secret
		want   int
	}{
		{"without an access token it is refused", token, "", http.StatusForbidden},
		{"with an invented one too", token, "forged", http.StatusForbidden},
		{"a genuine one teaches", token, access, http.StatusOK},
		{"then none is needed", token, "", http.StatusOK},
		{"and no other is learnt", "another", access, http.StatusForbidden},
	} {
		if got := f.leadCallback(test.token, test.access); got != test.want {
			t.Errorf("%s: answered %d\n%s", test.name, got, f.logged)
		}
	}
	if strings.Contains(f.logged.String(), token) || strings.Contains(f.logged.String(), access.Reveal()) {
		t.Errorf("the log shows a token: %s", f.logged)
	}
	if n := f.held(events.StreamNotices); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// Anybody can post callbacks; each that is looked into costs a request.
func TestUnverifiedCallbacksCostFewRequests(t *testing.T) {
	f := open(t, nil)
	f.loggedIn()
	before := f.portal.Stats().Requests["app.info"]
	for range 50 {
		status, _ := f.post(callback("ONCRMLEADADD", f.portal.Info().MemberID, "t", "7") + "&auth%5Baccess_token%5D=forged")
		if status != http.StatusForbidden {
			t.Fatalf("answered %d", status)
		}
	}
	if n := f.portal.Stats().Requests["app.info"] - before; n != 1 {
		t.Errorf("50 forgeries within a second cost %d requests", n)
	}
}

func TestAnUpdateMayChangeTheApplicationTokenOnlyWithAVerifiedToken(t *testing.T) {
	f := open(t, nil)
	f.delivered()
	info := f.portal.Info()
	grant, _, err := f.db.Grant(t.Context(), info.MemberID)
	if err != nil {
		t.Fatal(err)
	}
	update := func(access, application string) int {
		status, _ := f.post(install(info.MemberID, func(v url.Values) {
			v.Set("event", "ONAPPUPDATE")
			v.Set("auth[server_endpoint]", info.OAuth+"/rest/")
			v.Set("auth[application_token]", application)
			v.Set("auth[access_token]", access)
			if access == "" {
				v.Del("auth[refresh_token]")
			}
		}))
		return status
	}
	recognised := func(token string) bool { p := f.portals()[0]; return p.Recognises(leads.Secret(token)) }
	if got := update("forged", "new"); got != http.StatusForbidden || recognised("new") {
		t.Errorf("a forged update is answered %d", got)
	}
	if got := update("", "new"); got != http.StatusForbidden || recognised("new") {
		t.Errorf("an update without tokens is answered %d", got)
	}
	if got := update("", info.ApplicationToken); got != http.StatusOK {
		t.Errorf("an update without tokens, but with the known application_token, is answered %d", got)
	}
	if got := update(grant.AccessToken.Reveal(), "new"); got != http.StatusOK || !recognised("new") {
		t.Errorf("a genuine update is answered %d", got)
	}
}

func TestTheApplicationsOwnUserComesBesideTheInstaller(t *testing.T) {
	f := open(t, nil)
	f.delivered()
	f.portal.UserReady()
	if err := f.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	grants, err := f.db.Grants(t.Context(), f.portal.Info().MemberID)
	if err != nil || len(grants) != 2 || !grants[0].System || grants[0].UserID != 512 || grants[1].System || grants[1].UserID != 1 {
		t.Errorf("grants %+v, %v\n%s", grants, err, f.logged)
	}
	if p := f.portals()[0]; p.UserID != 1 {
		t.Errorf("authorized by user %d", p.UserID)
	}
}

// A log-in that began at one replica may come back to another.
func TestLogInsCrossReplicas(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for _, test := range []struct {
		name        string
		here, there []byte
		want        int
	}{
		{"with one key", key, key, http.StatusOK},
		{"with different keys", key, []byte("another one"), http.StatusForbidden},
		{"without a key", nil, nil, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, func(_ *face, cfg *handlers.Config) { cfg.StateKey = test.here })
			back := f.begin()
			cfg := f.Config
			cfg.StateKey = test.there
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://other"+path(back), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(f.url + "/bitrix24/oauth/")
			if err != nil {
				t.Fatal(err)
			}
			for _, cookie := range f.client.Jar.Cookies(u) {
				request.AddCookie(cookie)
			}
			if got := served(handlers.New(cfg), request); got != test.want {
				t.Errorf("answered %d\n%s", got, f.logged)
			}
		})
	}
}
