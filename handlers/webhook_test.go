package handlers_test

import (
	"net/http"
	"testing"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

func webhook(f *face, member string) *leads.Portal {
	info := f.portal.Info()
	return &leads.Portal{
		MemberID: member, Domain: host(f.t, info.Portal), State: leads.PortalActive, WebhookURL: leads.Secret(info.Webhook),
		TokenHash: leads.HashToken(leads.Secret(info.WebhookApplicationToken)),
	}
}

func TestFirstCallbackBringsTheWebhooksMemberID(t *testing.T) {
	f := open(t, func(f *face, cfg *handlers.Config) { cfg.Webhook = webhook(f, "") })
	info := f.portal.Info()
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "wrong", "1")); status != http.StatusForbidden || len(f.portals()) != 0 {
		t.Fatalf("a forger is answered %d, %d portals", status, len(f.portals()))
	}
	for range 2 {
		f.clock.advance(knownAgain)
		if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, info.WebhookApplicationToken, "1")); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
	}
	portals := f.portals()
	if len(portals) != 1 || portals[0].MemberID != info.MemberID || portals[0].WebhookURL.Reveal() != info.Webhook {
		t.Errorf("stored %+v", portals)
	}
	if f.held(events.StreamPortals) != 1 || f.held(events.StreamNotices) != 1 {
		t.Errorf("%d portal notices, %d notices, want one of each", f.held(events.StreamPortals), f.held(events.StreamNotices))
	}
}

func TestAdoptingTheSameWebhookAgainChangesNothing(t *testing.T) {
	f := open(t, nil)
	p := webhook(f, f.portal.Info().MemberID)
	for range 2 {
		if err := f.Adopt(t.Context(), *p); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.held(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices, want 1", n)
	}
	p.WebhookURL += "new/"
	if err := f.Adopt(t.Context(), *p); err != nil {
		t.Fatal(err)
	}
	if n := f.held(events.StreamPortals); n != 2 {
		t.Errorf("%d portal notices after a new address, want 2", n)
	}
}

// The outgoing webhook was made anew: the settings have its new token, and its first
// callback proves it.
func TestASettledWebhookFollowsTheSettings(t *testing.T) {
	f := open(t, func(f *face, cfg *handlers.Config) { cfg.Webhook = webhook(f, "") })
	info := f.portal.Info()
	before := *webhook(f, info.MemberID)
	before.WebhookURL, before.TokenHash = leads.Secret(info.Portal+"/rest/1/former/"), leads.HashToken("former")
	elsewhere := leads.Portal{
		MemberID: "elsewhere", Domain: "b.example.com", State: leads.PortalActive, WebhookURL: "https://b.example.com/rest/1/x/", TokenHash: leads.HashToken("x"),
	}
	for _, p := range []leads.Portal{before, elsewhere} {
		if err := f.db.SavePortal(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	stored := func(member string) leads.Portal {
		p, _, err := f.db.Portal(t.Context(), member)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if status, _ := f.post(callback("ONCRMLEADADD", "elsewhere", info.WebhookApplicationToken, "1")); status != http.StatusForbidden {
		t.Errorf("in another portal's name: %d", status)
	}
	if got := stored("elsewhere"); got.WebhookURL != elsewhere.WebhookURL {
		t.Error("another portal's webhook was replaced")
	}
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, info.WebhookApplicationToken, "1")); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if got := stored(info.MemberID); got.WebhookURL.Reveal() != info.Webhook || !got.Recognises(leads.Secret(info.WebhookApplicationToken)) {
		t.Errorf("stored %+v", got)
	}
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "former", "1")); status != http.StatusForbidden {
		t.Errorf("the former token is answered %d", status)
	}
}

func TestTheSettingsWebhookIsFoundAmongThePortals(t *testing.T) {
	f := open(t, func(f *face, cfg *handlers.Config) { cfg.Webhook = webhook(f, "") })
	info := f.portal.Info()
	if _, known, err := f.WebhookPortal(t.Context()); known || err != nil {
		t.Errorf("before any: %v, %v", known, err)
	}
	for name, p := range map[string]leads.Portal{
		"by its host":           {Domain: host(t, info.Portal), TokenHash: leads.HashToken("former")},
		"by the token, renamed": {Domain: "former.bitrix24.com", TokenHash: leads.HashToken(leads.Secret(info.WebhookApplicationToken))},
	} {
		p.MemberID, p.State, p.WebhookURL = info.MemberID, leads.PortalActive, "https://x/rest/1/former/"
		if err := f.db.SavePortal(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		got, known, err := f.WebhookPortal(t.Context())
		if err != nil || !known || got.MemberID != info.MemberID || got.WebhookURL.Reveal() != info.Webhook {
			t.Errorf("%s: %+v, %v, %v", name, got, known, err)
		}
	}
}
