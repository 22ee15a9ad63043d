package bitrix24_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// The portal of tests in a synctest bubble: no network, and minutes pass at once.
const (
	insidePortal = "https://company.bitrix24.com"
	insideServer = "https://oauth.bitrix.info"
)

// inside carries requests to an emulated portal without a network. address is where
// they come from, as the portal sees it.
type inside struct {
	portal  *emulator.Portal
	address string

	mu sync.Mutex
	// at answers some hosts otherwise; a nil answer lets the request through.
	at func(*http.Request) *http.Response
}

// RoundTrip implements http.RoundTripper.
func (i *inside) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	i.mu.Lock()
	at := i.at
	i.mu.Unlock()
	if at != nil {
		if resp := at(r); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	handler := i.portal.Handler()
	if r.URL.Host == hostName(insideServer) {
		handler = i.portal.AuthHandler()
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), i.address+":4711"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() {
		if recover() != nil {
			resp, err = nil, errors.New("connection reset by peer")
		}
	}()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, in)
	return w.Result(), nil
}

func (i *inside) answer(at func(*http.Request) *http.Response) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.at = at
}

func (i *inside) client() *http.Client {
	c := bitrix24.NewHTTP()
	c.Transport, c.Timeout = i, 0
	return c
}

// startInside makes a portal with its limits on.
func startInside(tb testing.TB, cfg emulator.Config) *inside {
	tb.Helper()
	p, err := emulator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	p.SetURLs(insidePortal, insideServer)
	tb.Cleanup(func() { _ = p.Close() })
	return &inside{portal: p, address: "192.0.2.1"}
}

// webhook is a client by the portal's webhook, with a budget of its own.
func (i *inside) webhook(budget *bitrix24.Budget) *bitrix24.Client {
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(i.portal.Info().Webhook), HTTP: i.client(), Budget: budget,
	})
}

// oauth is the application's conversation with the authorization server.
func (i *inside) oauth() *bitrix24.OAuth {
	info := i.portal.Info()
	return &bitrix24.OAuth{
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: i.client(), Now: time.Now,
	}
}

// install saves the application's form and returns tokens, as the redirect brings them.
func (i *inside) install(tb testing.TB) leads.Grant {
	tb.Helper()
	i.portal.Install("", "https://leads.example.com/back") // no address for events: there is no network
	r := httptest.NewRequest(http.MethodGet, insidePortal+"/oauth/authorize/?client_id="+i.portal.Info().ClientID, nil)
	w := httptest.NewRecorder()
	i.portal.Handler().ServeHTTP(w, r)
	back, err := w.Result().Location()
	if err != nil {
		tb.Fatalf("no redirect: %d", w.Code)
	}
	oauth := i.oauth()
	oauth.HTTP = &http.Client{Transport: &inside{portal: i.portal, address: i.address}} // whatever is spoilt
	pair, err := oauth.Exchange(context.Background(), back.Query().Get("server_domain"), back.Query().Get("code"))
	if err != nil {
		tb.Fatal(err)
	}
	return pair.Grant
}

func hostName(url string) string { return strings.TrimPrefix(url, "https://") }

func canned(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewBufferString(body)), ContentLength: int64(len(body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}
