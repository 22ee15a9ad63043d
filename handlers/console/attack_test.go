package console_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/access"
	"leadsync/handlers/console"
	"leadsync/leads/leadstest"
)

// everywhere are all that the pages answer: a page that somebody adds is among them.
func everywhere() (all []struct{ method, path string }) {
	for _, pattern := range console.Patterns() {
		method, path, _ := strings.Cut(pattern, " ")
		id := "17"
		if strings.Contains(path, "/passes/") || strings.Contains(path, "/pass/") {
			id = "run-1"
		}
		path = strings.NewReplacer("{$}", "", "{member}", member, "{id}", id, "{name}", "lag.svg").Replace(path)
		all = append(all, struct{ method, path string }{method, path})
	}
	return all
}

// attacked is the pages of a house as somebody beyond this machine reaches them.
func attacked(t *testing.T, h *house) *httptest.Server {
	t.Helper()
	cfg := h.config()
	cfg.LiveEvery = time.Millisecond
	c := console.New(cfg)
	guard := access.New(access.Config{Judge: access.NewJudge(access.Tokens{Read: readToken, Operate: "the-token-of-operators"}, time.Now, leadstest.Silent()), Open: console.Static, Now: time.Now})
	server := httptest.NewServer(guard.Wrap(c))
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { c.Stop(); server.Close() })
	return server
}

// ask sends a request and reads what comes within its first kilobytes: streams do not end.
func ask(t *testing.T, server *httptest.Server, method, path string, header ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	form := url.Values{"portal": {member}, "lead": {"17"}, "mode": {"full"}, "domain": {"plain"}, "member_id": {member}}
	request, err := http.NewRequestWithContext(ctx, method, server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := make([]byte, 4096)
	n, _ := io.ReadAtLeast(response.Body, body, 64)
	return response.StatusCode, string(body[:n])
}

// Whoever comes from elsewhere without a token sees nothing and does nothing, anywhere.
func TestNothingIsShownOrDoneWithoutAToken(t *testing.T) {
	h := furnished("a secret of the house")
	server := attacked(t, h)
	all := everywhere()
	if len(all) < 28 {
		t.Errorf("only %d paths are known", len(all))
	}
	for _, at := range all {
		status, body := ask(t, server, at.method, at.path, "Accept", "text/html")
		if status != http.StatusUnauthorized && status != http.StatusSeeOther && status != http.StatusForbidden {
			t.Errorf("%s %s is answered %d", at.method, at.path, status)
		}
		if strings.Contains(body, "a secret of the house") {
			t.Errorf("%s %s shows %s", at.method, at.path, body)
		}
	}
	if len(h.did) > 0 {
		t.Errorf("somebody did %v", h.did)
	}
}

// The token of readers changes nothing, anywhere.
func TestReadersChangeNothing(t *testing.T) {
	h := furnished("plain")
	server := attacked(t, h)
	for _, at := range everywhere() {
		status, body := ask(t, server, at.method, at.path, "Authorization", "Bearer "+readToken)
		switch {
		case at.method == http.MethodGet && status != http.StatusOK:
			t.Errorf("GET %s is answered %d: %s", at.path, status, body)
		case at.method != http.MethodGet && status != http.StatusForbidden:
			t.Errorf("%s %s is answered %d", at.method, at.path, status)
		}
	}
	if len(h.did) > 0 {
		t.Errorf("a reader did %q", h.did)
	}
}

// Forms that another site has a browser send do nothing, although the browser is let in.
func TestFormsOfOtherSitesDoNothingAnywhere(t *testing.T) {
	h := furnished("plain")
	o := open(t, h)
	token := formToken.FindStringSubmatch(o.page("/passes"))[1]
	for _, at := range everywhere() {
		if at.method != http.MethodPost {
			continue
		}
		form := url.Values{"portal": {member}, "lead": {"17"}, "mode": {"full"}, "domain": {"plain"}, "member_id": {member}}
		if response, _ := o.send(at.method, at.path, form); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the form's token is answered %d", at.path, response.StatusCode)
		}
		form.Set(access.FormField, token)
		for _, foreign := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			if response, _ := o.send(at.method, at.path, form, foreign...); response.StatusCode != http.StatusForbidden {
				t.Errorf("%s of %v is answered %d", at.path, foreign, response.StatusCode)
			}
		}
	}
	if len(h.did) > 0 {
		t.Errorf("another site did %v", h.did)
	}
}
