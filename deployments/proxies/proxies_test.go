// Package proxies_test runs leadsync behind the examples of reverse proxies, with real programs where
// they are installed.
package proxies_test

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unknownPortal is the body of a callback that leadsync itself refuses with 403.
const unknownPortal = "event=ONCRMLEADADD&data%5BFIELDS%5D%5BID%5D=1&auth%5Bmember_id%5D=0123456789abcdef0123456789abcdef&auth%5Bapplication_token%5D=nobody"

func each(t *testing.T, test func(*testing.T, proxy)) {
	t.Helper()
	for _, with := range []proxy{nginx, caddy} {
		t.Run(with.program, func(t *testing.T) {
			t.Parallel()
			test(t, with)
		})
	}
}

// A portal installs leadsync, and its callbacks arrive: bodies, their type and addresses pass.
func TestPortalLivesBehindProxy(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		outside := s.vars["LEADSYNC_PUBLIC_URL"]
		s.portal.Install(outside+"/bitrix24/events", outside+"/bitrix24/oauth/callback")
		card := func(id int64) int {
			path := "/api/v1/leads/" + s.portal.Info().MemberID + "/" + strconv.FormatInt(id, 10)
			return s.ask(http.MethodGet, operators, path, "", "Authorization", "Bearer "+apiToken).status
		}
		first, _ := s.portal.RandomID()
		eventually(t, "the leads are imported", func() bool { return card(first) == http.StatusOK })
		before := s.metric("leadsync_callbacks_received_total")
		added := s.portal.Add(1)[0]
		eventually(t, "a new lead arrives", func() bool { return card(added) == http.StatusOK })
		if after := s.metric("leadsync_callbacks_received_total"); before == after || after == "" {
			t.Errorf("callbacks received: %s, then %s", before, after)
		}
	})
}

// Exactly the public paths are passed on, in any spelling that leadsync understands.
func TestPublicPaths(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		for _, path := range []string{
			"/bitrix24/events", "/bitrix24/events/", "/bitrix24/events?x=1", "/Bitrix24/Events", "//bitrix24//events", "/bitrix24/events.", "/bitrix24/events%20",
			"/bitrix24/events/index.php", "/bitrix24/oauth/callback",
		} {
			if got := s.ask(http.MethodPost, public, path, unknownPortal); got.status != http.StatusForbidden {
				t.Errorf("a callback at %s: %d %s", path, got.status, got.text)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := s.ask(method, public, "/healthz", ""); got.status != http.StatusOK || method == http.MethodGet && got.text != "ok\n" {
				t.Errorf("%s /healthz: %d %q", method, got.status, got.text)
			}
		}
		start := s.ask(http.MethodGet, public, "/bitrix24/oauth/start?domain="+url.QueryEscape(host(s.portal.Info().Portal)), "", "Accept-Language", "ru")
		if start.status != http.StatusOK || !strings.Contains(start.text, "<html lang=\"ru\"") || start.header.Get("Set-Cookie") == "" {
			t.Errorf("the log-in: %d %v %s", start.status, start.header, start.text)
		}
		for _, path := range []string{
			"/", "/metrics", "/readyz", "/login", "/portals", "/asyncapi.yaml", "/healthz/", "/healthzz", "/bitrix24x/events", "/x/bitrix24/events",
			"/api/v1/status", "/card?phone=1234567&token=" + cardToken, "/bitrix24/../api/v1/status", "/bitrix24/%2e%2e/api/v1/status", "//api/v1/status",
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				got := s.ask(method, public, path, unknownPortal, "Authorization", "Bearer "+apiToken)
				if got.status != http.StatusNotFound || strings.Contains(got.text, "leadsync") {
					t.Errorf("%s %s is passed on: %d %s", method, path, got.status, got.text)
				}
			}
		}
		for _, reason := range []string{"wrong_address", "unknown_path"} {
			if counted := s.metric(`leadsync_callbacks_refused_total{reason="` + reason + `"}`); counted != "0" {
				t.Errorf("leadsync has refused something as %s: %s", reason, counted)
			}
		}
	})
}

// With LEADSYNC_PUBLIC_API=on a few lines more pass on the look-ups.
func TestPublicAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with, "#api ", "")
		for _, test := range []struct {
			path, token string
			want        int
		}{
			{"/api/v1/status", apiToken, 200},
			{"/api/v1/status", operatorToken, 401},
			{"/api/v1/lookup?phone=%2B79123456789", apiToken, 200},
			{"/card?phone=+79123456789&token=" + cardToken, "", 404},
			{"/metrics", apiToken, 404},
			{"/healthz", "", 200},
		} {
			var header []string
			if test.token != "" {
				header = []string{"Authorization", "Bearer " + test.token}
			}
			if got := s.ask(http.MethodGet, public, test.path, "", header...); got.status != test.want {
				t.Errorf("%s: %d %s", test.path, got.status, got.text)
			}
		}
		if got := s.ask(http.MethodGet, public, "/card?phone=+79123456789&token="+cardToken, ""); !strings.Contains(got.text, "Nobody with this number") {
			t.Errorf("the card is not leadsync's: %s", got.text)
		}
	})
}

// leadsync itself answers and counts a body that is too long; what is far too long does not reach it.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		const refused = `leadsync_callbacks_refused_total{reason="too_long"}`
		if got := s.ask(http.MethodPost, public, "/bitrix24/events", strings.Repeat("a", 60<<10)); got.status != http.StatusBadRequest {
			t.Errorf("60 KB: %d %s", got.status, got.text)
		}
		if got := s.ask(http.MethodPost, public, "/bitrix24/events", strings.Repeat("a", 100<<10)); got.status != http.StatusRequestEntityTooLarge || s.metric(refused) != "1" {
			t.Errorf("100 KB: %d %s, counted %s", got.status, got.text, s.metric(refused))
		}
		if got := s.ask(http.MethodPost, public, "/bitrix24/events", strings.Repeat("a", 1<<20)); got.status < http.StatusBadRequest {
			t.Errorf("1 MB: %d %s", got.status, got.text)
		}
	})
}

// Wrong tokens are counted by who sent them, not by the proxy, and nobody can blame somebody else.
func TestRealClientAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		const attacker, colleague = "127.0.0.2", "127.0.0.3"
		try := func(from string) int {
			return s.askFrom(from, http.MethodGet, operators, "/api/v1/status", "", "Authorization", "Bearer wrong-token", "X-Forwarded-For", colleague).status
		}
		for range 200 { // ten at once, then one every six seconds
			if try(attacker) == http.StatusTooManyRequests {
				break
			}
		}
		if got := try(attacker); got != http.StatusTooManyRequests {
			t.Errorf("who shows many wrong tokens: %d", got)
		}
		if got := try(colleague); got != http.StatusUnauthorized {
			t.Errorf("somebody else: %d", got)
		}
	})
}

// Operators log in on a name of their own; nobody is let in because the proxy is on this machine.
func TestOperatorsBehindProxy(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		for _, path := range []string{"/", "/metrics", "/readyz", "/api/v1/status"} {
			if got := s.ask(http.MethodGet, operators, path, ""); got.status != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d", path, got.status)
			}
		}
		login := s.ask(http.MethodPost, operators, "/login", "token="+operatorToken, "Origin", "https://"+operators, "Sec-Fetch-Site", "")
		cookies := (&http.Response{Header: login.header}).Cookies()
		if login.status != http.StatusSeeOther || len(cookies) != 1 || !cookies[0].Secure || login.header.Get("Location") != "/" {
			t.Fatalf("the log-in: %d %v %s", login.status, login.header, login.text)
		}
		if got := s.ask(http.MethodGet, operators, "/", "", "Cookie", cookies[0].Name+"="+cookies[0].Value); got.status != http.StatusOK || !strings.Contains(got.text, "leadsync") {
			t.Errorf("the first page: %d %s", got.status, got.text)
		}
		if got := s.ask(http.MethodPost, operators, "/bitrix24/events", unknownPortal); got.status != http.StatusUnauthorized {
			t.Errorf("a callback at the operators' name: %d", got.status)
		}
	})
}

// What the pages show is passed on while it comes.
func TestLivePages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, with proxy) {
		t.Helper()
		s := open(t, with)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+operators+"/live/overview", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+apiToken)
		response, err := s.client("127.0.0.1").Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := response.Body.Read(make([]byte, 1)); err != nil || response.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%d %v: %v", response.StatusCode, response.Header, err)
		}
	})
}

// Caddy keeps a callback while leadsync restarts.
func TestCallbackWaitsForRestart(t *testing.T) {
	t.Parallel()
	s := open(t, caddy, "lb_try_duration 10s", "lb_try_duration 4m")
	s.stop()
	eventually(t, "Caddy has seen it", func() bool { return strings.Count(s.output.String(), "HTTP request failed") > 1 })
	time.AfterFunc(100*time.Millisecond, s.serve) // later, it would only wait longer
	if got := s.ask(http.MethodPost, public, "/bitrix24/events", unknownPortal); got.status != http.StatusForbidden {
		t.Errorf("%d %s", got.status, got.text)
	}
}

// nginx gives a callback to another replica where one takes it and does not answer.
func TestCallbackGoesToAnotherReplica(t *testing.T) {
	t.Parallel()
	dying, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dying.Close() })
	taken := make(chan bool, 100)
	go func() {
		for {
			conn, err := dying.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1<<10))
			_ = conn.Close()
			taken <- true
		}
	}()
	s := open(t, nginx, "    server 127.0.0.1:8080;\n", "    server "+dying.Addr().String()+";\n    server 127.0.0.1:8080;\n")
	for range 4 {
		if got := s.ask(http.MethodPost, public, "/bitrix24/events", unknownPortal); got.status != http.StatusForbidden {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	if len(taken) == 0 {
		t.Error("the replica that dies was never asked")
	}
}
