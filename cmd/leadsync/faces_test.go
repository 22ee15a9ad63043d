package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// serveCommand is leadsync serve.
func serveCommand(ctx context.Context, s *testServer) int {
	return run(ctx, []string{"serve"}, around(s.vars, s.log, s.log))
}

// answerOf is how an address is answered to somebody with a token; redirects are not followed.
func answerOf(t *testing.T, client *http.Client, address, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// What Bitrix24 reaches shows nothing of what operators see, and the other way round.
func TestServiceHasTwoFaces(t *testing.T) {
	t.Parallel()
	s := launchServe(t, startEmulator(t, emulator.Config{}), map[string]string{"LEADSYNC_ADMIN_ADDR": "0.0.0.0:0"}, serveCommand)
	eventually(t, "it listens", func() bool { return s.admin() != "" })
	_, port, err := net.SplitHostPort(host(s.admin()))
	if err != nil {
		t.Fatal(err)
	}
	operators, token := "http://127.0.0.1:"+port, s.token(t, "api-token")
	eventually(t, "it is ready", func() bool {
		got, _ := answerOf(t, http.DefaultClient, operators+"/readyz", token)
		return got == http.StatusOK
	})
	for _, test := range []struct {
		path, token           string
		atPublic, atOperators int
	}{
		{"/healthz", "", 200, 200},
		{"/readyz", "", 404, 401},
		{"/readyz", token, 404, 200},
		{"/metrics", "", 404, 401},
		{"/metrics", token, 404, 200},
		{"/api/v1/status", token, 404, 200},
		{"/card?phone=1234567&token=" + s.token(t, "card-token"), "", 404, 404},
		{"/card?phone=1234567&token=" + token, "", 404, 401},
		{"/asyncapi.yaml", token, 404, 200},
		{"/bitrix24/events", token, 405, 404},
		{"/bitrix24/oauth/start", token, 400, 404},
	} {
		if got, text := answerOf(t, http.DefaultClient, s.url+test.path, test.token); got != test.atPublic {
			t.Errorf("%s at the public face: %d %s", test.path, got, text)
		}
		if got, text := answerOf(t, http.DefaultClient, operators+test.path, test.token); got != test.atOperators {
			t.Errorf("%s at the operators' face: %d %s", test.path, got, text)
		}
	}
	for _, name := range []string{"api-token", "card-token", "operator-token"} {
		if strings.Contains(s.log.String(), s.token(t, name)) {
			t.Errorf("the log shows %s", name)
		}
	}
}

func TestLookUpsCanBePublic(t *testing.T) {
	t.Parallel()
	s := startServe(t, startEmulator(t, emulator.Config{}), map[string]string{"LEADSYNC_PUBLIC_API": "on", "LEADSYNC_API_TOKEN": "the-token-of-the-call-centre"})
	for _, test := range []struct {
		path, token string
		want        int
	}{
		{"/api/v1/status", "", 401},
		{"/api/v1/status", s.token(t, "operator-token"), 401},
		{"/api/v1/status", "the-token-of-the-call-centre", 200},
		{"/api/v1/lookup?phone=1234567", "the-token-of-the-call-centre", 200},
		{"/card?phone=1234567&token=" + s.token(t, "card-token"), "", 404},
		{"/metrics", "the-token-of-the-call-centre", 404},
		{"/readyz", "the-token-of-the-call-centre", 404},
		{"/", "the-token-of-the-call-centre", 404},
	} {
		if got, text := answerOf(t, http.DefaultClient, s.url+test.path, test.token); got != test.want {
			t.Errorf("%s: %d %s", test.path, got, text)
		}
	}
}

func TestOperatorsFaceOnASocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "leadsync") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "admin.sock")
	if stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
		t.Fatal(err)
	} else {
		stale.SetUnlinkOnClose(false) // as kill -9 leaves it
		_ = stale.Close()
	}
	vars := map[string]string{"LEADSYNC_ADMIN_ADDR": "unix:" + path, "LEADSYNC_ADMIN_TRUST_HEADER": "X-Remote-User"}
	s := launchServe(t, startEmulator(t, emulator.Config{}), vars, serveCommand)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	eventually(t, "it listens", func() bool { return s.admin() == "unix:"+path })
	if got, text := answerOf(t, client, "http://leads.example.com/metrics", ""); got != http.StatusUnauthorized {
		t.Errorf("without a name: %d %s", got, text)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://leads.example.com/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Remote-User", "anna")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Errorf("with a name: %d", response.StatusCode)
	}
	code, _, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "unix:" + path}, "serve")
	if code != exitFailure || !strings.Contains(stderr, "LEADSYNC_ADMIN_ADDR: cannot listen on unix:"+path+": another process listens there") {
		t.Errorf("a second service: exit %d: %s", code, stderr)
	}
}

// Callbacks are taken where nobody wants an operators' face.
func TestServiceWithoutOperatorsFace(t *testing.T) {
	t.Parallel()
	s := launchServe(t, startEmulator(t, emulator.Config{}), map[string]string{"LEADSYNC_ADMIN_ADDR": "off"}, serveCommand)
	eventually(t, "it serves", func() bool { return strings.Contains(s.log.String(), "database and NATS are ready") })
	if got, _ := answerOf(t, http.DefaultClient, s.url+"/healthz", ""); got != http.StatusOK || s.admin() != "" {
		t.Errorf("health %d, operators' face at %q", got, s.admin())
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("exit %d", code)
	}
}
