package emulator_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestTLSWithItsOwnAuthority(t *testing.T) {
	b := start(t, emulator.Config{TLS: true, NoLimits: true})
	if !strings.HasPrefix(b.info.Portal, "https://127.0.0.1:") || !filepath.IsAbs(b.info.CA) {
		t.Fatalf("%+v", b.info)
	}
	text, err := os.ReadFile(b.info.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("the authority is no PEM file")
	}
	if transport, ok := b.client.Transport.(*http.Transport); ok {
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	access, _ := b.authorize(t) // the portal and the authorization server
	if r := b.rest(t, access, "profile", ""); r.status != http.StatusOK {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestHttpsRequired(t *testing.T) {
	p, err := emulator.New(emulator.Config{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	if body := string(serveAny(t, p, "profile", "")); body != `{"error":"INVALID_REQUEST","error_description":"Https required."}` {
		t.Error(body)
	}
	p, err = emulator.New(emulator.Config{TLS: true, Switches: emulator.Switches{PlainHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	if body := string(serveAny(t, p, "profile", "")); !strings.HasPrefix(body, `{"result":`) {
		t.Error(body)
	}
	b := start(t, emulator.Config{Switches: emulator.Switches{RequireHTTPS: true}})
	b.hook(t, "profile", "").wantError(t, 400, "INVALID_REQUEST", "Https required.")
}

func TestHandlersCanBeServedElsewhere(t *testing.T) {
	p, err := emulator.New(emulator.Config{Leads: 1, NoLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	home, oauth := httptest.NewServer(p.Handler()), httptest.NewServer(p.AuthHandler())
	t.Cleanup(home.Close)
	t.Cleanup(oauth.Close)
	p.SetURLs(home.URL+"/", oauth.URL)
	client := home.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b, r := &harness{Portal: p, info: p.Info(), client: client}, receive(t)
	b.bind(t, r)
	b.Add(1)
	if f := b.drain(t, r)[0]; f.Get("auth[client_endpoint]") != home.URL+"/rest/" || f.Get("auth[server_endpoint]") != oauth.URL+"/rest/" {
		t.Errorf("%s", f.Get("raw"))
	}
}

func TestAddressInUseIsNamed(t *testing.T) {
	b := start(t, emulator.Config{})
	u, err := url.Parse(b.info.Portal)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := emulator.Start(emulator.Config{PortalAddr: u.Host}); err == nil || !strings.Contains(err.Error(), u.Host) {
		t.Errorf("error %v", err)
	}
	if _, err := emulator.Start(emulator.Config{OAuthAddr: u.Host}); err == nil || !strings.Contains(err.Error(), u.Host) {
		t.Errorf("error %v", err)
	}
}

func TestAuthorizationServerTakesTheNextPort(t *testing.T) {
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	b := start(t, emulator.Config{PortalAddr: address})
	home, _ := url.Parse(b.info.Portal)
	oauth, _ := url.Parse(b.info.OAuth)
	a, _ := strconv.Atoi(home.Port())
	o, _ := strconv.Atoi(oauth.Port())
	if home.Host != address || o <= a || o >= a+50 {
		t.Errorf("portal %s, authorization server %s", home.Host, oauth.Host)
	}
}

func TestWrongConfiguration(t *testing.T) {
	for _, cfg := range []emulator.Config{{Leads: -1}, {WebhookUser: 99}} {
		if p, err := emulator.New(cfg); err == nil {
			t.Errorf("%+v makes %v", cfg, p.Info())
		}
	}
}

// TestManyAtOnce runs readers, writers, callbacks and the control surface at the same time, for
// the race detector.
func TestManyAtOnce(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 300, Seed: 1, NoLimits: true}), receive(t)
	token := b.bind(t, r)
	b.rest(t, token, "event.bind", "event=ONCRMLEADUPDATE&event_type=offline")
	b.SetFaults(emulator.Faults{Lose: 0.1, Repeat: 0.1, Reorder: 0.1})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 12 {
				switch (worker + i) % 6 {
				case 0:
					b.hook(t, "batch", `{"cmd":{"a":"crm.lead.list?order[DATE_MODIFY]=DESC","b":"crm.lead.get?id=$result[a][0][ID]"}}`)
				case 1:
					b.MassEdit(5)
				case 2:
					ids := b.Add(3)
					_ = b.Delete(ids[0])
				case 3:
					b.rest(t, token, "event.offline.get", "clear=0&limit="+strconv.Itoa(i+1))
				case 4:
					b.do(t, "GET", b.info.Portal+"/_portal/leads", "", "")
					b.Stats()
				default:
					b.authorize(t)
					b.Advance(1)
					b.Callbacks()
				}
			}
		})
	}
	all.Wait()
	b.drain(t, r)
	s, want := b.Stats(), 0
	for _, cb := range b.Callbacks() {
		want++
		if cb.Status != http.StatusOK && cb.Error != "lost on purpose" {
			t.Errorf("%+v", cb)
		}
	}
	if s.CallbacksSent+s.CallbacksLost != want || s.CallbacksFailed != 0 {
		t.Errorf("%+v, remembered %d", s, want)
	}
}
