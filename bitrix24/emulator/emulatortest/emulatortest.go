// Package emulatortest is what tests of several packages share: an emulated portal that is
// called in the same process, without a socket. Such a test can run in a synctest bubble,
// where hours pass at once. The package knows nothing about what is tested.
package emulatortest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// The addresses of a Harness: a portal of the cloud, and its authorization server.
const (
	PortalURL = "https://company.bitrix24.com"
	OAuthURL  = "https://oauth.bitrix.info"
)

// Address is the source address of every request, to which the portal's bucket belongs.
const Address = "192.0.2.1"

// Transport is an http.RoundTripper that hands each request to an emulator in the same
// process: requests to the host of its authorization server to that, all others to the
// portal. It is safe for concurrent use.
type Transport struct {
	portal, oauth http.Handler
	oauthHost     string

	mu        sync.Mutex
	intercept Interceptor
}

// Interceptor answers a request in place of the emulator; nil lets the request through.
type Interceptor func(*http.Request) *http.Response

// NewTransport returns a transport to an emulator, whose addresses must not change any more.
func NewTransport(p *emulator.Portal) *Transport {
	t := &Transport{portal: p.Handler(), oauth: p.AuthHandler()}
	if u, err := url.Parse(p.Info().OAuth); err == nil {
		t.oauthHost = u.Host
	}
	return t
}

// Intercept sets what sees every further request first, and returns what did before. nil
// removes it.
func (t *Transport) Intercept(next Interceptor) (previous Interceptor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	previous, t.intercept = t.intercept, next
	return previous
}

var errReset = errors.New("connection reset by peer")

// RoundTrip implements http.RoundTripper. A connection that the emulator breaks off is an
// error, as it is over a socket.
func (t *Transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	intercept := t.intercept
	t.mu.Unlock()
	if intercept != nil {
		if resp := intercept(r); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	handler := t.portal
	if r.URL.Host == t.oauthHost {
		handler = t.oauth
	}
	request := r.Clone(r.Context())
	request.RequestURI, request.RemoteAddr = r.URL.RequestURI(), Address+":4711"
	if request.Body == nil {
		request.Body = http.NoBody
	}
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, errReset
		default:
			panic(reason)
		}
	}()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, request)
	return w.Result(), nil
}

// Response is an answer for an Interceptor; header lists names and values in turn.
func Response(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// Harness is an emulated portal at PortalURL and OAuthURL, called without a socket. It has
// no way to send callbacks.
type Harness struct {
	Portal    *emulator.Portal
	Transport *Transport
}

// New makes a portal and closes it when the test ends.
func New(tb testing.TB, cfg emulator.Config) *Harness {
	tb.Helper()
	p, err := emulator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	p.SetURLs(PortalURL, OAuthURL)
	return &Harness{Portal: p, Transport: NewTransport(p)}
}

// HTTP is an HTTP client that follows no redirect, as bitrix24.NewHTTP, without a time-out.
func (h *Harness) HTTP() *http.Client {
	c := bitrix24.NewHTTP()
	c.Transport, c.Timeout = h.Transport, 0
	return c
}

// Webhook is a client that uses the portal's inbound webhook; a nil budget is no limit.
func (h *Harness) Webhook(budget *bitrix24.Budget) *bitrix24.Client {
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(h.Portal.Info().Webhook), HTTP: h.HTTP(), Budget: budget,
	})
}

// OAuth talks to the authorization server as the portal's application.
func (h *Harness) OAuth() *bitrix24.OAuth {
	info := h.Portal.Info()
	return &bitrix24.OAuth{
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: h.HTTP(), Now: time.Now,
	}
}

// Install installs the application and returns the tokens that the redirect brings. No
// Interceptor sees its requests.
func (h *Harness) Install(tb testing.TB) leads.Grant {
	tb.Helper()
	h.Portal.Install("", "https://leads.example.com/back")
	direct := &Harness{Portal: h.Portal, Transport: NewTransport(h.Portal)}
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, PortalURL+"/oauth/authorize/?client_id="+h.Portal.Info().ClientID, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := direct.HTTP().Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		tb.Fatalf("no redirect: %s", resp.Status)
	}
	pair, err := direct.OAuth().Exchange(tb.Context(), back.Query().Get("server_domain"), back.Query().Get("code"))
	if err != nil {
		tb.Fatal(err)
	}
	return pair.Grant
}
