package handlers_test

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

// begin opens the start page and follows it to the portal, whose authorize page sends
// the browser back: it returns that address.
func (f *face) begin() *url.URL {
	f.t.Helper()
	f.portal.Install("", f.url+"/bitrix24/oauth/callback")
	there := f.ask("/bitrix24/oauth/start?domain=" + host(f.t, f.portal.Info().Portal))
	read(f.t, there)
	if there.StatusCode != http.StatusFound {
		f.t.Fatalf("start answered %d", there.StatusCode)
	}
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, there.Header.Get("Location"), http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	back, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	read(f.t, back)
	u, err := url.Parse(back.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		f.t.Fatalf("the portal answered %d with %q", back.StatusCode, back.Header.Get("Location"))
	}
	return u
}

func path(u *url.URL) string { return u.Path + "?" + u.RawQuery }

func TestLogInConnectsThePortal(t *testing.T) {
	f := open(t, nil)
	status, text := f.get(path(f.begin()))
	domain := host(t, f.portal.Info().Portal)
	if status != http.StatusOK || !strings.Contains(html.UnescapeString(text), "Portal "+domain+" is connected") {
		t.Fatalf("answered %d: %s\n%s", status, text, f.logged)
	}
	p := f.portals()[0]
	if p.MemberID != f.portal.Info().MemberID || p.Domain != domain || p.State != leads.PortalActive || p.TokenHash != "" {
		t.Errorf("stored %+v", p)
	}
	if n := f.held(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices", n)
	}
}

// The redirect does not bring the application_token; what an installation brought stays.
func TestLogInKeepsTheApplicationToken(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.get(path(f.begin()))
	p := f.portals()[0]
	if !p.Recognises(leads.Secret(f.portal.Info().ApplicationToken)) {
		t.Error("callbacks are no longer recognised")
	}
}

func TestLogInsThatFailSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(*face, *url.URL)
		status int
		says   string
	}{
		{"an invented state", func(_ *face, u *url.URL) { set(u, "state", "zzzzzz.forged") }, 403, "not started here"},
		{"no state", func(_ *face, u *url.URL) { set(u, "state", "") }, 403, "not started here"},
		{"another browser", func(f *face, _ *url.URL) { f.client.Jar, _ = cookiejar.New(nil) }, 403, "not started here"},
		{"after 15 minutes", func(f *face, _ *url.URL) { f.clock.advance(15*time.Minute + time.Second) }, 403, "within 15 minutes"},
		{"an expired code", func(_ *face, u *url.URL) { set(u, "code", "expired") }, 502, "no longer valid"},
		{"a code used twice", func(f *face, u *url.URL) {
			if _, err := f.OAuth.Exchange(f.t.Context(), u.Query().Get("server_domain"), u.Query().Get("code")); err != nil {
				f.t.Fatal(err)
			}
		}, 502, "no longer valid"},
		{"a server of their own", func(_ *face, u *url.URL) { set(u, "server_domain", "evil.example.com") }, 403, "authorization server is unknown"},
		{"another portal's member_id", func(_ *face, u *url.URL) { set(u, "member_id", "bbbb") }, 403, "not served here"},
		{"a wrong secret", func(f *face, _ *url.URL) { f.OAuth.ClientSecret = "wrong" }, 502, "LEADSYNC_B24_CLIENT_SECRET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, nil)
			back := f.begin()
			test.spoil(f, back)
			status, text := f.get(path(back))
			if status != test.status || !strings.Contains(html.UnescapeString(text), test.says) {
				t.Errorf("answered %d: %s", status, text)
			}
			if len(f.portals()) != 0 {
				t.Error("a portal was stored")
			}
			if code := back.Query().Get("code"); code != "" && strings.Contains(f.logged.String(), code) {
				t.Errorf("the log shows the code: %s", f.logged)
			}
		})
	}
}

func set(u *url.URL, key, value string) {
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
}

func TestStartNeedsToKnowThePortal(t *testing.T) {
	f := open(t, nil)
	for _, domain := range []string{"", "a.example.com/evil", "user@a.example.com", "a.example.com?x=", `a.example.com\evil`, "127.0.0.1:80/"} {
		status, _ := f.get("/bitrix24/oauth/start?domain=" + url.QueryEscape(domain))
		if status != http.StatusBadRequest {
			t.Errorf("%q is answered %d", domain, status)
		}
	}
	status, text := f.get("/bitrix24/oauth/start?domain=company.bitrix24.com")
	if status != http.StatusOK || !strings.Contains(text, `href="https://company.bitrix24.com/oauth/authorize/?`) || !strings.Contains(text, "Connect company.bitrix24.com?") {
		t.Errorf("answered %d: %s", status, text)
	}
	there := f.ask("/bitrix24/oauth/start?domain=" + host(t, f.portal.Info().Portal)) //nolint:bodyclose // read does
	read(t, there)
	cookie := there.Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", cookie)
	}
}

// Anybody can send somebody a link to the start page: it must not lead to anybody's host.
func TestStartLeadsOnlyToPortalsThatMayBeServed(t *testing.T) {
	const there, asked, refused = http.StatusFound, http.StatusOK, http.StatusForbidden
	for _, test := range []struct {
		name    string
		allowed []string
		known   string
		domain  string
		status  int
	}{
		{"known", nil, "company.bitrix24.com", "company.bitrix24.com", there},
		{"known, in capitals", nil, "company.bitrix24.com", "Company.Bitrix24.com", there},
		{"a second one", nil, "company.bitrix24.com", "evil.example.com", refused},
		{"on the list", []string{"company.bitrix24.com"}, "", "company.bitrix24.com", there},
		{"not on the list", []string{"company.bitrix24.com"}, "", "evil.example.com", refused},
		{"a list of member ids", []string{"a223c6b3710f85df22e9377d6c4f7553"}, "", "company.bitrix24.com", asked},
		{"any", []string{"any"}, "other.bitrix24.com", "company.bitrix24.com", asked},
		{"the first", nil, "", "company.bitrix24.com", asked},
		{"the first, self-hosted", nil, "", "crm.company.co.uk", asked},
		{"the first, in Cyrillic", nil, "", "xn--80a1acny.xn--p1ai", asked},
		{"an address", nil, "", "192.0.2.7", refused},
		{"an address of ours", nil, "", "127.0.0.1:9", refused},
		{"an address of six", nil, "", "[2001:db8::1]", refused},
		{"a port", nil, "", "company.bitrix24.com:8443", refused},
		{"a name of the local network", nil, "", "router.lan", refused},
		{"no dot", nil, "", "localhost", refused},
		{"an empty label", nil, "", "a..example.com", refused},
		{"a trailing dot", nil, "", "company.bitrix24.com.", refused},
		{"letters that look like others", nil, "", "соmpany.bitrix24.com", refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, func(_ *face, cfg *handlers.Config) { cfg.Allowed = test.allowed })
			if test.known != "" {
				if err := f.db.SavePortal(t.Context(), leads.Portal{MemberID: "known", Domain: test.known, State: leads.PortalActive}); err != nil {
					t.Fatal(err)
				}
			}
			answer := f.ask("/bitrix24/oauth/start?domain=" + url.QueryEscape(test.domain))
			text, to := read(t, answer), answer.Header.Get("Location")
			if answer.StatusCode != test.status {
				t.Errorf("answered %d: %s", answer.StatusCode, text)
			}
			want := "https://" + strings.ToLower(test.domain) + "/oauth/authorize/?"
			if (answer.StatusCode == there) != strings.HasPrefix(to, want) || (answer.StatusCode == asked) != strings.Contains(text, want) {
				t.Errorf("it leads to %q: %s", to, text)
			}
			if answer.StatusCode == refused && (strings.Contains(text, "oauth/authorize") || len(answer.Cookies()) > 0 || !strings.Contains(text, "not served here")) {
				t.Errorf("refused by %s", text)
			}
		})
	}
}

// A portal's own application is asked for, believed and exchanged as.
func TestAPortalsOwnApplicationIsUsed(t *testing.T) {
	f := open(t, func(_ *face, cfg *handlers.Config) {
		cfg.OAuth.ClientID, cfg.OAuth.ClientSecret = "local.of.the.settings", "another"
	})
	info := f.portal.Info()
	own := leads.Portal{
		MemberID: info.MemberID, Domain: host(t, info.Portal), State: leads.PortalNeedsAuthorization,
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret),
	}
	if err := f.db.SavePortal(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if status, text := f.get(path(f.begin())); status != http.StatusOK {
		t.Fatalf("the log-in is answered %d: %s\n%s", status, text, f.logged)
	}
	if cb := f.delivered(); cb.Status != http.StatusOK {
		t.Errorf("the installation is answered %d\n%s", cb.Status, f.logged)
	}
	p := f.portals()[0]
	if p.State != leads.PortalActive || p.ClientID != info.ClientID || p.ClientSecret.Reveal() != info.ClientSecret {
		t.Errorf("stored %+v", p)
	}
	if strings.Contains(f.logged.String(), info.ClientSecret) {
		t.Error("the log shows the secret")
	}
}

func TestStartWithoutAnApplicationSaysSo(t *testing.T) {
	f := open(t, func(_ *face, cfg *handlers.Config) { cfg.OAuth.ClientID = "" })
	status, text := f.get("/bitrix24/oauth/start?domain=company.bitrix24.com")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "LEADSYNC_B24_CLIENT_ID") {
		t.Errorf("answered %d: %s", status, text)
	}
}
