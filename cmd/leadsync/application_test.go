package main

import (
	"maps"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/service"
)

// An administrator deletes the application and adds it again: it gets another client_id and
// secret, which the settings do not have. The service refuses it and logs what to do; then it
// becomes the portal's own application, beside the one of the settings.
func TestRecreatedApplicationBecomesThePortalsOwn(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 30, Seed: 12, Enterprise: true})
	s := startAccelerated(t, p, map[string]string{"LEADSYNC_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	eventually(t, "the leads are imported", func() bool { n, err := db.CountLeads(t.Context(), s.member()); return err == nil && n == 30 })
	eventually(t, "the budget follows the Enterprise plan", func() bool {
		b := jsonOf[service.PortalReport](t, s, "portals", "show", s.member()).Budget
		return b != nil && b.Plan == "enterprise" && b.Depth == 200
	})

	p.Recreate("", "")
	eventually(t, "the new one is refused with advice", func() bool {
		return strings.Contains(s.log.String(), "leadsync portals add --member-id "+s.member())
	})
	now := p.Info()
	vars := maps.Clone(s.vars)
	vars["LEADSYNC_B24_CLIENT_SECRET"] = now.ClientSecret
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"another domain":    {[]string{"--client-id", now.ClientID, "--domain", "other.example.com"}, "leave --domain out"},
		"no host name":      {[]string{"--client-id", now.ClientID, "--domain", "a.example.com/x"}, "--domain"},
		"a webhook as well": {[]string{"--client-id", now.ClientID, "--webhook", "https://a.example.com/rest/1/x/"}, "not by both"},
		"a secret alone":    {[]string{"--domain", host(now.Portal), "--client-secret", "s"}, "belong together"},
	} {
		if code, _, stderr := command(t.Context(), t, vars, append([]string{"portals", "add", "--member-id", s.member()}, test.args...)...); code != exitUsage || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
	code, stdout, stderr := command(t.Context(), t, vars, "portals", "add", "--member-id", s.member(), "--client-id", now.ClientID)
	if code != exitOK || strings.Contains(stdout+stderr, now.ClientSecret) {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	p.Install(s.url+"/bitrix24/events", "") // its form is saved again
	eventually(t, "it is authorized", func() bool {
		return jsonOf[portalsListed](t, s, "portals").Portals[0].State == leads.PortalActive
	})
	id, _ := p.RandomID()
	eventually(t, "events are bound again", func() bool {
		if err := p.Edit(id, map[string]any{"TITLE": "by the new application"}); err != nil {
			t.Fatal(err)
		}
		return s.equal(t, db)
	})
	// The session of the former application may still try its tokens once.
	eventually(t, "its session has begun", func() bool { return strings.Count(s.log.String(), "took over portal") > 1 })
	refreshes := p.Stats().Requests["oauth.token"]
	p.ExpireTokens()
	if err := p.Edit(id, map[string]any{"TITLE": "after a refresh"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the edit arrives", func() bool { return s.equal(t, db) })
	if p.Stats().Requests["oauth.token"] != refreshes+1 {
		t.Errorf("%d refreshes", p.Stats().Requests["oauth.token"]-refreshes)
	}
	if shown := jsonOf[service.PortalReport](t, s, "portals", "show", s.member()); shown.ClientID != now.ClientID {
		t.Errorf("shown %+v", shown)
	}
	var text string
	eventually(t, "it is shown, the plan too", func() bool {
		_, text, _ = command(t.Context(), t, s.vars, "portals", "show", s.member())
		return strings.Contains(text, now.ClientID) && strings.Contains(text, "enterprise plan")
	})
	for where, what := range map[string]string{"show": text, "the log": s.log.String(), "the metrics": s.metrics(t)} {
		if strings.Contains(what, now.ClientSecret) {
			t.Errorf("%s shows the secret", where)
		}
	}
}

// A second portal is accepted when an operator has added it, with an application of its own.
func TestASecondPortalIsAddedBeforeItInstalls(t *testing.T) {
	t.Parallel()
	first, second := startEmulator(t, emulator.Config{Leads: 10, Seed: 13}), startEmulator(t, emulator.Config{Leads: 15, Seed: 14})
	hosts := strings.Join([]string{host(first.Info().Portal), host(first.Info().OAuth), host(second.Info().Portal), host(second.Info().OAuth)}, ",")
	s := startServe(t, first, map[string]string{"LEADSYNC_B24_INSECURE_HOSTS": hosts})
	db := s.mirror(t)
	first.Install(s.url+"/bitrix24/events", "")
	s.untilImported(t, db)
	second.Install(s.url+"/bitrix24/events", "")
	eventually(t, "it is refused", func() bool { return second.Stats().CallbacksFailed == 1 })
	info := second.Info()
	add := []string{"portals", "add", "--member-id", info.MemberID, "--client-id", info.ClientID, "--client-secret", info.ClientSecret}
	if code, _, stderr := command(t.Context(), t, s.vars, add...); code != exitUsage || !strings.Contains(stderr, "--domain is missing") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := command(t.Context(), t, s.vars, append(add, "--domain", host(info.Portal))...); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	second.Install(s.url+"/bitrix24/events", "")
	other := *s
	other.portal = second
	other.untilImported(t, db)
	second.ExpireTokens()
	second.Add(1)
	eventually(t, "its tokens are refreshed as its own application", func() bool { return other.equal(t, db) })
	first.ExpireTokens()
	first.Add(1)
	eventually(t, "the first's as that of the settings", func() bool { return s.equal(t, db) })
}
