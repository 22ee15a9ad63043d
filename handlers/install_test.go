package handlers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

// delivered installs the application in the portal and waits until its callback is
// answered.
func (h *harness) delivered() emulator.Callback {
	h.t.Helper()
	h.portal.Install(h.url+"/bitrix24/events", h.url+"/bitrix24/oauth/callback")
	if err := h.portal.DrainCallbacks(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	all := h.portal.Callbacks()
	return all[len(all)-1]
}

func TestInstallationIsAnswered200WhenItIsStored(t *testing.T) {
	h := open(t, nil)
	if cb := h.delivered(); cb.Status != http.StatusOK {
		t.Fatalf("answered %d %s\n%s", cb.Status, cb.Error, h.log)
	}
	if p := h.portals()[0]; p.MemberID != h.portal.Info().MemberID || p.State != leads.PortalActive {
		t.Errorf("stored %+v", p)
	}
	if n := h.messages(events.StreamPortals); n != 1 || h.stats.Received.Load() != 1 {
		t.Errorf("%d portal notices, %d received", n, h.stats.Received.Load())
	}
	h.portal.UserReady()
	if err := h.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if grants, err := h.db.Grants(t.Context(), h.portal.Info().MemberID); err != nil || len(grants) != 2 {
		t.Errorf("with the application's own user: grants %+v, %v", grants, err)
	}
}

// install is the body of an installation.
func install(member, server string) string {
	return url.Values{
		"event": {"ONAPPINSTALL"}, "ts": {"1766047124"}, "auth[member_id]": {member}, "auth[application_token]": {"t"},
		"auth[access_token]": {"forged"}, "auth[refresh_token]": {"forged"}, "auth[expires_in]": {"3600"},
		"auth[scope]": {"crm"}, "auth[domain]": {"evil.example.com"},
		"auth[client_endpoint]": {"https://evil.example.com/rest/"}, "auth[server_endpoint]": {server},
	}.Encode()
}

func TestInstallationsThatFailAreAnsweredByReason(t *testing.T) {
	h := open(t, nil)
	info := h.portal.Info()
	// Nobody listens there, though it may be trusted.
	h.registry.OAuth.Trust.Insecure = append(h.registry.OAuth.Trust.Insecure, "127.0.0.1:1")
	update := callback("ONAPPUPDATE", info.MemberID, info.ApplicationToken, "")
	for _, test := range []struct {
		name, body string
		status     int
		reason     portals.Reason
		says       string
	}{
		{"a server of their own", install(info.MemberID, "https://evil.example.com/rest/"), 403, portals.NotVerified, "leadsync does not accept this installation"},
		{"an invented token", install(info.MemberID, info.OAuth+"/rest/"), 403, portals.NotVerified, "leadsync does not accept this installation"},
		{"an update of an unknown portal", update, 403, portals.NotVerified, "leadsync does not accept this installation"},
		{"a server that does not answer", install(info.MemberID, "http://127.0.0.1:1/rest/"), 503, portals.Unavailable, "did not answer in time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.refused(test.reason)
			status, answer := h.post(test.body)
			if status != test.status || !strings.Contains(answer, test.says) || strings.Contains(answer, "evil.example.com") {
				t.Errorf("answered %d %q\n%s", status, answer, h.log)
			}
			if h.refused(test.reason) != before+1 || h.stats.Received.Load() != 0 {
				t.Errorf("counted %v", h.stats.Refused())
			}
			if n := len(h.portals()); n != 0 || h.messages(events.StreamPortals) != 0 {
				t.Errorf("%d portals stored", n)
			}
		})
	}
	if !strings.Contains(h.log.String(), "save the application's form in Bitrix24 again") {
		t.Errorf("the log does not say what to do: %s", h.log)
	}
	h.installed()
	if status, _ := h.post(update); status != http.StatusOK || h.messages(events.StreamPortals) != 1 {
		t.Errorf("an update of a known portal is answered %d", status)
	}
}

// An installation that comes while the service starts is lost: the answer says so, and what to do.
func TestInstallationsDuringTheStartSayWhatToDo(t *testing.T) {
	h := open(t, func(h *harness) { h.registry.Store, h.registry.Started = down{h.db}, make(chan struct{}) })
	info := h.portal.Info()
	body := install(info.MemberID, info.OAuth+"/rest/")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct{ accept, language, kind, says string }{
		{"*/*", "", "text/plain", "leadsync is still starting. Its database is not ready yet"},
		{"text/html", "en", "text/html", "leadsync is still starting"},
		{"text/html", "ru", "text/html", "leadsync ещё запускается"},
	} {
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, leads.CallbackPath, strings.NewReader(body))
		request.Header.Set("Accept", test.accept)
		request.Header.Set("Accept-Language", test.language)
		w := httptest.NewRecorder()
		h.server.ServeHTTP(w, request)
		if w.Code != http.StatusServiceUnavailable || !strings.HasPrefix(w.Header().Get("Content-Type"), test.kind) || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%+v is answered %d %s: %s", test, w.Code, w.Header(), w.Body)
		}
	}
}
