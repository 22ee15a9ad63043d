package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
)

// mirrorStatus is what GET /api/v1/status says of the only portal.
func (h *harness) mirrorStatus() leads.MirrorStatus {
	h.t.Helper()
	token, err := os.ReadFile(filepath.Join(h.dataDir, "api-token"))
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.serve.admin()+"/api/v1/status", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	var answer struct{ Portals []leads.MirrorStatus }
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Portals) != 1 {
		h.t.Fatalf("status: %s, %v", body, err)
	}
	return answer.Portals[0]
}

// Subscribers, reports and the call centre know when "not found" may be false.
func TestStatusTellsWhenChangesMayBeMissed(t *testing.T) {
	t.Parallel()
	h := newHarness(t, false)
	h.install()
	nc, err := events.Connect(events.Server{URL: h.natsAt})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err != nil {
		t.Fatal(err)
	}
	until := func(state leads.MirrorState, reason string) {
		t.Helper()
		h.until("the mirror is "+string(state), func() bool {
			s := h.mirrorStatus()
			return s.State == state && strings.Contains(s.Reason, reason)
		})
		h.until("subscribers know it", func() bool {
			s, ok, err := events.LastStatus(t.Context(), bus, h.portal.Info().MemberID)
			return err == nil && ok && s.State == state && strings.Contains(s.Reason, reason)
		})
	}
	until(leads.MirrorCurrent, "")
	h.portal.SetFaults(emulator.Faults{Refuse: "ACCESS_DENIED"})
	id, _ := h.portal.RandomID()
	h.edit(id, "while the plan has ended")
	until(leads.MirrorBlind, "commercial plan")
	h.portal.SetFaults(emulator.Faults{})
	until(leads.MirrorCurrent, "")
}

// Programs find the description of the topics where the service is.
func TestServiceServesItsAsyncAPI(t *testing.T) {
	t.Parallel()
	h := &harness{t: t, url: "http://" + freeAddress(t)}
	h.serve = newChild(t, "serve", "LEADSYNC_DATA_DIR="+t.TempDir(), "LEADSYNC_HTTP_ADDR="+host(h.url), "LEADSYNC_NATS_LISTEN=127.0.0.1:0")
	h.serve.start()
	h.untilUp()
	for path, want := range map[string]string{"/asyncapi.yaml": "asyncapi: 3.0.0", "/schemas/change.json": "member_id", "/schemas/status.json": "blind"} {
		response, err := http.Get(h.serve.admin() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %v, %d bytes without %q", path, response.StatusCode, err, len(body), want)
		}
	}
}
