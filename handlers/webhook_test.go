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
