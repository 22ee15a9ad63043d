package handlers_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"leadsync/handlers"
	"leadsync/handlers/access"
)

// far makes the operators' face one that others can reach.
func far(h *harness) { h.access.Local = false }

// asOperators sends a request to the operators' face.
func (h *harness) asOperators(path string, header ...string) (head, string) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.adminURL+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if request.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	return head{response.StatusCode, response.Header}, read(h.t, response)
}

// operatorsPaths are all that the operators' face has, in this package.
var operatorsPaths = []string{
	"/", "/metrics", "/readyz", "/asyncapi.yaml", "/schemas/change.json", "/api/v1/status", "/api/v1/lookup?phone=1234567", "/api/v1/leads/m/1", "/unknown",
}

func TestOperatorsFaceAsksForATokenBeyondThisMachine(t *testing.T) {
	h := open(t, far)
	bad := [][]string{
		nil,
		{"Authorization", "Bearer wrong"},
		{"Authorization", "Bearer " + cardToken},
		{"Authorization", "Basic " + operatorToken},
		{"Cookie", "leadsync_session=" + operatorToken},
		{"X-Remote-User", "root"},
	}
	for _, path := range operatorsPaths {
		for _, header := range bad {
			h.serve() // or the wrong tokens would be too many
			for _, spelling := range []string{path, "/" + path, path + "#", strings.ToUpper(path), "/static/.." + path, "/healthz/.." + path} {
				response, text := h.asOperators(spelling, header...)
				if response.StatusCode < 300 || strings.Contains(text, "some_metric") {
					t.Errorf("%s with %q: %d %s", spelling, header, response.StatusCode, text)
				}
			}
		}
	}
	for _, token := range []string{apiToken, operatorToken} {
		if response, text := h.asOperators("/metrics", "Authorization", "Bearer "+token); response.StatusCode != http.StatusOK || !strings.Contains(text, "some_metric") {
			t.Errorf("metrics: %d %s", response.StatusCode, text)
		}
		if response, text := h.asOperators("/api/v1/status", "Authorization", "Bearer "+token); response.StatusCode != http.StatusOK || !strings.Contains(text, `"portals":[]`) {
			t.Errorf("status: %d %s", response.StatusCode, text)
		}
	}
	if status, _ := h.operators("/healthz"); status != http.StatusOK {
		t.Errorf("health is answered %d", status)
	}
	if status, text := h.operators("/card?phone=1234567&token=" + cardToken); status != http.StatusNotFound || !strings.Contains(text, "Nobody") {
		t.Errorf("the card is answered %d %s", status, text)
	}
	if status, _ := h.operators("/card?phone=1234567"); status != http.StatusUnauthorized {
		t.Errorf("the card without a token is answered %d", status)
	}
}

// On this machine nobody has to log in. What a proxy forwards, or a site whose name was made
// to mean this machine, does not come from here.
func TestOperatorsFaceTrustsThisMachineAlone(t *testing.T) {
	h := open(t, nil)
	if status, _ := h.operators("/metrics"); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	for _, header := range [][]string{
		{"Host", "attacker.example"},
		{"Host", "127.0.0.1.attacker.example:8081"},
		{"X-Forwarded-For", "10.0.0.7"},
		{"Forwarded", "for=10.0.0.7"},
		{"Via", "1.1 proxy"},
		{"X-Real-Ip", "10.0.0.7"},
		{"Authorization", "Bearer wrong"},
	} {
		if response, text := h.asOperators("/metrics", header...); response.StatusCode != http.StatusUnauthorized || strings.Contains(text, "some_metric") {
			t.Errorf("with %s: %d", header, response.StatusCode)
		}
	}
	for _, name := range []string{"localhost:8081", "LOCALHOST", "[::1]:8081", "127.8.0.1"} {
		if response, _ := h.asOperators("/metrics", "Host", name); response.StatusCode != http.StatusOK {
			t.Errorf("as %s: %d", name, response.StatusCode)
		}
	}
}

// Whom the guard has let in needs no second token for what he can read on the pages.
func TestAPIAnswersWhomTheGuardLetsIn(t *testing.T) {
	h := open(t, func(h *harness) { h.access.TrustHeader = "X-Remote-User" })
	if status, _ := h.operators("/api/v1/status"); status != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d", status)
	}
	if response, text := h.asOperators("/api/v1/status", "X-Remote-User", "anna"); response.StatusCode != http.StatusOK {
		t.Errorf("whom the proxy names is answered %d %s", response.StatusCode, text)
	}
	here := open(t, nil)
	if status, text := here.operators("/api/v1/status"); status != http.StatusOK {
		t.Errorf("who is at this machine is answered %d %s", status, text)
	}
	if status, _ := here.get("/api/v1/status"); status != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d at the public face", status)
	}
	if response, _ := here.asOperators("/api/v1/status", "Authorization", "Bearer wrong"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token is answered %d", response.StatusCode)
	}
}

func TestOperatorsFaceEndsItsStreamsAtAStop(t *testing.T) {
	h := open(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, stopping := make(chan struct{}), make(chan struct{})
	cfg := h.admin
	cfg.Guard = access.New(h.access)
	cfg.Stopping = func() { close(stopping) }
	cfg.Console = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-stopping
	})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- handlers.NewOperators(cfg).Serve(ctx, listener) }()
	response, err := h.client.Get("http://" + listener.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	stop()
	read(t, response)
	if err := <-served; err != nil {
		t.Error(err)
	}
}
