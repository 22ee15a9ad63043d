package service

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadsync/handlers/access"
	"leadsync/leads/leadstest"
)

// guarded is how the operators' face at an address answers a browser on this machine.
func guarded(t *testing.T, at string, settings map[string]string) (status int, log string) {
	t.Helper()
	cfg, err := ReadConfig(func(name string) (string, bool) { value, ok := settings[name]; return value, ok })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	said := &leadstest.Log{}
	guard := newGuard(cfg, access.NewJudge(access.Tokens{Operate: "the-token-of-operators"}, cfg.Now, said.Logger()), listener, said.Logger())
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081/", http.NoBody)
	r.RemoteAddr = "127.0.0.1:4000"
	guard.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w.Code, said.String()
}

func TestThisMachineMayNeedAToken(t *testing.T) {
	for _, test := range []struct {
		at, setting string
		want        int
	}{
		{"127.0.0.1:0", "", http.StatusOK},
		{"127.0.0.1:0", "off", http.StatusOK},
		{"127.0.0.1:0", "required", http.StatusUnauthorized},
		{"0.0.0.0:0", "off", http.StatusUnauthorized},
	} {
		status, log := guarded(t, test.at, map[string]string{"LEADSYNC_ADMIN_LOCAL_TOKEN": test.setting})
		if status != test.want {
			t.Errorf("at %s with %q: %d", test.at, test.setting, status)
		}
		if warned := strings.Contains(log, "tokens can be read"); warned != strings.HasPrefix(test.at, "0.") {
			t.Errorf("at %s it warned: %t", test.at, warned)
		}
	}
}
