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
	"leadsync/portals"
)

// begin opens the start page and clicks its link to the portal, whose authorize page sends
// the browser back: it returns that address.
func (h *harness) begin() *url.URL {
	h.t.Helper()
	h.portal.Install("", h.url+"/bitrix24/oauth/callback")
	status, text := h.get("/bitrix24/oauth/start?domain=" + host(h.t, h.portal.Info().Portal))
	link := linkIn(text)
	if status != http.StatusOK || link == "" {
		h.t.Fatalf("start answered %d: %s", status, text)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, link, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	back, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	read(h.t, back)
	u, err := url.Parse(back.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		h.t.Fatalf("the portal answered %d with %q", back.StatusCode, back.Header.Get("Location"))
	}
	return u
}

// linkIn is where a page's link leads; "" where it has none.
func linkIn(text string) string {
	_, after, _ := strings.Cut(text, `<a href="`)
	link, _, _ := strings.Cut(after, `"`)
	return html.UnescapeString(link)
}

func path(u *url.URL) string { return u.Path + "?" + u.RawQuery }

func TestLogInConnectsThePortal(t *testing.T) {
	h := open(t, nil)
	response, text := h.send(http.MethodGet, path(h.begin()), "")
	status := response.StatusCode
	if cookie := response.Header.Get("Set-Cookie"); !strings.Contains(cookie, "Max-Age=0") {
		t.Errorf("the state can be used twice: %s", cookie)
	}
	domain := host(t, h.portal.Info().Portal)
	if status != http.StatusOK || !strings.Contains(html.UnescapeString(text), "Portal "+domain+" is connected") {
		t.Fatalf("answered %d: %s\n%s", status, text, h.log)
	}
	p := h.portals()[0]
	if p.MemberID != h.portal.Info().MemberID || p.Domain != domain || p.State != leads.PortalActive || p.TokenHash != "" {
		t.Errorf("stored %+v", p)
	}
	if n := h.messages(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices", n)
	}
	if _, text := h.send(http.MethodGet, path(h.begin()), "", "Accept-Language", "ru"); !strings.Contains(html.UnescapeString(text), "Портал "+domain+" подключён") {
		t.Errorf("again, in Russian: %s", text)
	}
}

func TestLogInsThatFailSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(*harness, *url.URL)
		status int
		says   string
	}{
		{"an invented state", func(_ *harness, u *url.URL) { set(u, "state", "zzzzzz.forged") }, 403, "not started here"},
		{"no state", func(_ *harness, u *url.URL) { set(u, "state", "") }, 403, "not started here"},
		{"another browser", func(h *harness, _ *url.URL) { h.client.Jar, _ = cookiejar.New(nil) }, 403, "not started here"},
		{"after 15 minutes", func(h *harness, _ *url.URL) { h.clock.Advance(15 * time.Minute) }, 403, "within 15 minutes"},
		{"an expired code", func(_ *harness, u *url.URL) { set(u, "code", "expired") }, 502, "no longer valid"},
		{"a code used twice", func(h *harness, u *url.URL) {
			if _, err := h.registry.OAuth.Exchange(h.t.Context(), u.Query().Get("server_domain"), u.Query().Get("code")); err != nil {
				h.t.Fatal(err)
			}
		}, 502, "no longer valid"},
		{"no code", func(_ *harness, u *url.URL) { set(u, "code", "") }, 502, "code is missing"},
		{"a log-in that the portal refused", func(_ *harness, u *url.URL) {
			u.RawQuery = url.Values{"error": {"access_denied"}, "state": {u.Query().Get("state")}}.Encode()
		}, 502, "code is missing"},
		{"no server", func(_ *harness, u *url.URL) { set(u, "server_domain", "") }, 403, "no authorization server is named"},
		{"a server of their own", func(_ *harness, u *url.URL) { set(u, "server_domain", "evil.example.com") }, 403, "authorization server is unknown"},
		{"another portal's member_id", func(_ *harness, u *url.URL) { set(u, "member_id", "bbbb") }, 403, "not served here"},
		{"a wrong secret", func(h *harness, _ *url.URL) { h.registry.OAuth.ClientSecret = "wrong" }, 502, "LEADSYNC_B24_CLIENT_SECRET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, nil)
			back := h.begin()
			test.spoil(h, back)
			status, text := h.get(path(back))
			if status != test.status || !strings.Contains(html.UnescapeString(text), test.says) {
				t.Errorf("answered %d: %s", status, text)
			}
			if len(h.portals()) != 0 {
				t.Error("a portal was stored")
			}
			if refused := h.cfg.Portals.Refusals(); len(refused) != 1 || refused[0].Reason == portals.Accepted {
				t.Errorf("the operators' page shows %+v", refused)
			}
			if code := back.Query().Get("code"); code != "" && strings.Contains(h.log.String(), code) {
				t.Errorf("the log shows the code: %s", h.log)
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
	h := open(t, nil)
	for _, domain := range []string{"", "a.example.com/evil", "user@a.example.com", "a.example.com?x=", `a.example.com\evil`, "127.0.0.1:80/"} {
		status, text := h.get("/bitrix24/oauth/start?domain=" + url.QueryEscape(domain))
		if status != http.StatusBadRequest || linkIn(text) != "" {
			t.Errorf("%q is answered %d: %s", domain, status, text)
		}
	}
	status, text := h.get("/bitrix24/oauth/start?domain=company.bitrix24.com")
	if status != http.StatusOK || !strings.Contains(text, `href="https://company.bitrix24.com/oauth/authorize/?`) || !strings.Contains(text, "Connect company.bitrix24.com?") {
		t.Errorf("answered %d: %s", status, text)
	}
	there := h.ask("/bitrix24/oauth/start?domain=" + host(t, h.portal.Info().Portal)) //nolint:bodyclose // read does
	read(t, there)
	cookie := there.Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie %v", cookie)
	}
}

// Anybody can send somebody a link to the start page: it must not lead to anybody's host.
func TestStartLeadsOnlyToPortalsThatMayBeServed(t *testing.T) {
	const asked, refused = http.StatusOK, http.StatusForbidden
	for _, test := range []struct {
		name    string
		allowed []string
		domain  string
		status  int
	}{
		{"on the list", []string{"company.bitrix24.com"}, "Company.Bitrix24.com", asked},
		{"not on the list", []string{"company.bitrix24.com"}, "evil.example.com", refused},
		{"the first", nil, "company.bitrix24.com", asked},
		{"a name of the local network", nil, "router.lan", refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, func(h *harness) { h.registry.Allowed = test.allowed })
			answer := h.ask("/bitrix24/oauth/start?domain=" + url.QueryEscape(test.domain))
			text := read(t, answer)
			if answer.StatusCode != test.status {
				t.Errorf("answered %d: %s", answer.StatusCode, text)
			}
			want := "https://" + strings.ToLower(test.domain) + "/oauth/authorize/?"
			if link := linkIn(text); (answer.StatusCode == asked) != strings.HasPrefix(link, want) || answer.Header.Get("Location") != "" {
				t.Errorf("it leads to %q, by itself to %q", link, answer.Header.Get("Location"))
			}
			if answer.StatusCode == refused && (strings.Contains(text, "oauth/authorize") || len(answer.Cookies()) > 0 ||
				!strings.Contains(text, "not served here") || !strings.Contains(text, test.domain)) {
				t.Errorf("refused by %s", text)
			}
		})
	}
}

// A portal that is known is named as such, in both languages: whoever reads it decides by
// that whether to log in.
func TestStartSaysWhetherItKnowsThePortal(t *testing.T) {
	h := open(t, func(h *harness) { h.registry.Allowed = []string{"known.example.com", "any"} })
	for _, test := range []struct{ domain, language, says string }{
		{"known.example.com", "en", "leadsync will read leads with the rights"},
		{"known.example.com", "ru", "leadsync будет читать лиды с правами"},
		{"other.example.com", "en", "leadsync does not know this portal yet"},
		{"other.example.com", "ru", "leadsync ещё не знает этого портала"},
	} {
		_, text := h.send(http.MethodGet, "/bitrix24/oauth/start?domain="+test.domain, "", "Accept-Language", test.language)
		if !strings.Contains(text, test.says) || !strings.Contains(text, `<html lang="`+test.language+`">`) {
			t.Errorf("%s in %s: %s", test.domain, test.language, text)
		}
	}
}

// Link previews ask by HEAD; nothing else but a browser begins a log-in.
func TestStartIsForReaders(t *testing.T) {
	h := open(t, nil)
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "PUT": 405, "DELETE": 405, "OPTIONS": 405} {
		if response, _ := h.send(method, "/bitrix24/oauth/start?domain=company.bitrix24.com", ""); response.StatusCode != status {
			t.Errorf("%s is answered %d", method, response.StatusCode)
		}
	}
}

func TestStartWithoutADatabaseSaysSo(t *testing.T) {
	h := open(t, func(h *harness) { h.registry.Store = down{h.db} })
	status, text := h.get("/bitrix24/oauth/start?domain=company.bitrix24.com")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "Its database or Bitrix24 did not answer in time") {
		t.Errorf("answered %d: %s", status, text)
	}
}

func TestStartWithoutAnApplicationSaysSo(t *testing.T) {
	h := open(t, func(h *harness) { h.registry.OAuth.ClientID = "" })
	status, text := h.get("/bitrix24/oauth/start?domain=company.bitrix24.com")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "LEADSYNC_B24_CLIENT_ID") {
		t.Errorf("answered %d: %s", status, text)
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
			h := open(t, func(h *harness) { h.cfg.StateKey = test.here })
			back := h.begin()
			other := h.cfg
			other.StateKey = test.there
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://other"+path(back), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(h.url + "/bitrix24/oauth/")
			if err != nil {
				t.Fatal(err)
			}
			for _, cookie := range h.client.Jar.Cookies(u) {
				request.AddCookie(cookie)
			}
			if got := served(handlers.New(other), request); got != test.want {
				t.Errorf("answered %d\n%s", got, h.log)
			}
		})
	}
}
