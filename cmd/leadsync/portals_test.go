package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/service"
)

// jsonOf runs a command that must succeed and reads what it prints.
func jsonOf[T any](t *testing.T, s *testServer, args ...string) T {
	t.Helper()
	var v T
	code, stdout, stderr := command(t.Context(), t, s.vars, append(args, "--json")...)
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != exitOK || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("%v: exit %d, %v: %s%s", args, code, err, stdout, stderr)
	}
	return v
}

type portalsListed struct{ Portals []service.PortalView }

func TestPortalsAreListedShownReboundAndRemoved(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 60, Seed: 6})
	s := startServe(t, p, nil)
	db := s.mirror(t)
	if listed := jsonOf[portalsListed](t, s, "portals"); len(listed.Portals) != 0 {
		t.Errorf("listed %+v", listed)
	}
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	listed := jsonOf[portalsListed](t, s, "portals", "list")
	if len(listed.Portals) != 1 || listed.Portals[0].MemberID != s.member() || listed.Portals[0].State != leads.PortalActive || listed.Portals[0].Way != "application" {
		t.Errorf("listed %+v", listed)
	}
	var shown service.PortalReport
	eventually(t, "the owner notes its budget", func() bool {
		shown = jsonOf[service.PortalReport](t, s, "portals", "show", s.member())
		return shown.Budget != nil
	})
	if len(shown.Bound) < 5 || shown.BoundAt == nil || shown.Owner == "" || len(shown.Tokens) != 1 || !shown.TokenKnown || shown.Leads != 60 ||
		shown.LastPass == nil || shown.Budget.Share != 1 || time.Until(shown.Tokens[0].Idle) < 170*24*time.Hour {
		t.Errorf("shown %+v", shown)
	}
	if again := jsonOf[service.PortalReport](t, s, "portals", "rebind", host(p.Info().Portal)); !again.BoundAt.After(*shown.BoundAt) {
		t.Errorf("looked up %s, before %s", again.BoundAt, shown.BoundAt)
	}
	grant, _, err := db.Grant(t.Context(), s.member())
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := command(t.Context(), t, s.vars, "portals", "show", strings.ToUpper(s.member()))
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), p.Info().ApplicationToken} {
		if strings.Contains(text, secret) || strings.Contains(s.metrics(t), secret) {
			t.Error("a token is shown")
		}
	}
	for _, want := range []string{`leadsync_portal_budget_share_ratio{member_id="` + s.member() + `"} 1`, `leadsync_portals{state="active"} 1`, `leadsync_portal_method_operating_seconds{member_id="` + s.member() + `",method="crm.lead.list"}`} {
		if !strings.Contains(s.metrics(t), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if code, _, stderr := command(t.Context(), t, s.vars, "portals", "remove", s.member()); code != exitUsage || !strings.Contains(stderr, "--yes") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := command(t.Context(), t, s.vars, "portals", "show", "unknown"); code != exitUsage || !strings.Contains(stderr, "not known") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	removed := jsonOf[map[string]any](t, s, "portals", "remove", s.member(), "--yes")
	if removed["leads"] != 60.0 {
		t.Errorf("removed %v", removed)
	}
	if n, err := db.CountLeads(t.Context(), s.member()); err != nil || n != 0 {
		t.Errorf("%d leads are left, %v", n, err)
	}
	if listed := jsonOf[portalsListed](t, s, "portals"); len(listed.Portals) != 0 {
		t.Errorf("still listed: %+v", listed)
	}
	eventually(t, "the topic is empty", func() bool { return strings.Contains(s.metrics(t), "leadsync_notices_waiting 0") })
	before := p.Stats().CallbacksSent
	p.Add(1)
	if err := p.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Stats().CallbacksSent != before {
		t.Error("the portal still sends its events, and they are taken")
	}
}

func (s *testServer) metrics(tb testing.TB) string {
	tb.Helper()
	resp, err := http.Get(s.admin() + "/metrics")
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

func TestWebhookPortalIsAdded(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 20, Seed: 7})
	s := startServe(t, p, nil)
	db := s.mirror(t)
	secret := strings.Split(p.Info().Webhook, "/")[5]
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no webhook":     {[]string{"--member-id", s.member()}, exitUsage, "--webhook"},
		"no token":       {[]string{"--member-id", s.member(), "--webhook", p.Info().Webhook}, exitUsage, "--token"},
		"a wrong secret": {[]string{"--member-id", s.member(), "--webhook", strings.Replace(p.Info().Webhook, secret, "wr0ngs3cret", 1), "--token", "t0k3nt0k3n"}, exitFailure, "does not work"},
	} {
		code, _, stderr := command(t.Context(), t, s.vars, append([]string{"portals", "add"}, test.args...)...)
		if code != test.code || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "wr0ngs3cret") || strings.Contains(stderr, secret) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
	vars := maps.Clone(s.vars)
	vars["LEADSYNC_B24_WEBHOOK_URL"], vars["LEADSYNC_B24_APPLICATION_TOKEN"] = p.Info().Webhook, p.Info().WebhookApplicationToken
	code, _, stderr := command(t.Context(), t, vars, "portals", "add", "--member-id", strings.ToUpper(s.member()))
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	s.untilImported(t, db)
	p.OutgoingWebhook(s.url+"/bitrix24/events", "ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMLEADDELETE")
	p.Add(1)
	eventually(t, "a callback is taken", func() bool { return s.equal(t, db) })
}

// A portal that is renamed while the service runs is found at its new address, and stays the
// same portal.
func TestARenamedPortalIsFoundAgain(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 40, Seed: 8})
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", p.Info().Portal+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(old.Close)
	s := startServe(t, p, map[string]string{"LEADSYNC_B24_INSECURE_HOSTS": strings.Join([]string{host(p.Info().Portal), host(p.Info().OAuth), host(old.URL)}, ",")})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	if err := db.MovePortal(t.Context(), s.member(), host(old.URL), old.URL+"/rest/"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an owner knows the old address only", func() bool {
		return strings.Contains(s.log.String(), `"domain":"`+host(old.URL)+`"`)
	})
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "after the renaming"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edit arrives", func() bool { return s.equal(t, db) })
	eventually(t, "the new address is stored", func() bool {
		stored, _, err := db.Portal(t.Context(), s.member())
		return err == nil && stored.ClientEndpoint == p.Info().Portal+"/rest/" && stored.Domain == host(p.Info().Portal)
	})
}
