package portals_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/portals"
)

// webhook is the emulated portal as the settings reach it by webhooks.
func (f *fixture) webhook(member string) *leads.Portal {
	return &leads.Portal{
		MemberID: member, Domain: hostOf(f.t, f.info.Portal), State: leads.PortalActive, WebhookURL: leads.Secret(f.info.Webhook),
		TokenHash: leads.HashToken(leads.Secret(f.info.WebhookApplicationToken)),
	}
}

// openWebhook configures the webhook without its member id.
func openWebhook(t *testing.T) *fixture {
	t.Helper()
	return open(t, func(f *fixture) { f.cfg.Webhook = f.webhook("") })
}

func (f *fixture) adopt() {
	f.t.Helper()
	if err := f.registry.Adopt(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func TestFirstCallbackBringsTheWebhooksMemberID(t *testing.T) {
	f := openWebhook(t)
	if got := f.recognise(f.info.MemberID, "wrong"); got.Reason != portals.UnknownPortal || f.portals() != 0 {
		t.Fatalf("a forger: %+v, %d portals", got, f.portals())
	}
	for range 2 {
		f.clock.Advance(time.Minute)
		if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); !got.Verified || got.Domain != hostOf(t, f.info.Portal) {
			t.Fatalf("%+v", got)
		}
	}
	if got := f.stored(f.info.MemberID); f.portals() != 1 || got.WebhookURL.Reveal() != f.info.Webhook || got.UpdatedAt.IsZero() {
		t.Errorf("stored %+v", got)
	}
	if n := f.kept.count(); n != 1 || !strings.Contains(f.kept.last(), `"event":"webhook"`) {
		t.Errorf("%d notices, the last %s", n, f.kept.last())
	}
}

func TestFirstCallbackMayComeWithoutADatabase(t *testing.T) {
	f := openWebhook(t)
	f.store.down.Store(true)
	if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); got.Reason != portals.Accepted || got.Verified {
		t.Fatalf("%+v", got)
	}
	f.store.down.Store(false)
	if !f.verify(f.info.MemberID, f.info.WebhookApplicationToken) || f.portals() != 1 {
		t.Errorf("%d portals", f.portals())
	}
}

func TestWebhookThatCannotBeAdoptedNowIsVerifiedLater(t *testing.T) {
	f := openWebhook(t)
	f.kept.fail = errors.New("no space")
	if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); got.Reason != portals.Accepted || got.Verified || got.Err == nil {
		t.Errorf("%+v", got)
	}
}

func TestWebhookWithAMemberIDIsOnlyThatPortals(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.Webhook = f.webhook("configured") })
	if got := f.recognise("another", f.info.WebhookApplicationToken); got.Reason != portals.UnknownPortal || f.portals() != 0 {
		t.Errorf("%+v, %d portals", got, f.portals())
	}
	if f.verify("another", f.info.WebhookApplicationToken) {
		t.Error("Verify says that it is genuine")
	}
}

func TestAdoptingTheSameWebhookAgainChangesNothing(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.Webhook = f.webhook(f.info.MemberID) })
	for range 2 {
		f.adopt()
	}
	if n := f.kept.count(); n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	f.cfg.Webhook.WebhookURL += "new/"
	f.adopt()
	if n := f.kept.count(); n != 2 {
		t.Errorf("%d notices after a new address, want 2", n)
	}
}

func TestAdoptNeedsAWebhookAndADatabase(t *testing.T) {
	f := open(t, nil)
	f.adopt()
	if f.portals() != 0 || f.kept.count() != 0 {
		t.Error("something was adopted without a webhook")
	}
	for _, member := range []string{"", "configured"} {
		f := open(t, func(f *fixture) { f.cfg.Webhook = f.webhook(member) })
		f.store.down.Store(true)
		if err := f.registry.Adopt(t.Context()); !errors.Is(err, errDown) {
			t.Errorf("%q: %v", member, err)
		}
	}
}

// The outgoing webhook was recreated: the settings have its new token, and its first
// callback proves it, be it taken with or without a database.
func TestRecreatedWebhookFollowsTheSettings(t *testing.T) {
	for name, take := range map[string]func(f *fixture, member, token string) bool{
		"at once": func(f *fixture, member, token string) bool { return f.recognise(member, token).Verified },
		"later":   (*fixture).verify,
	} {
		t.Run(name, func(t *testing.T) {
			f := openWebhook(t)
			before := *f.webhook(f.info.MemberID)
			before.WebhookURL, before.TokenHash = leads.Secret(f.info.Portal+"/rest/1/former/"), leads.HashToken("former")
			elsewhere := leads.Portal{
				MemberID: "elsewhere", Domain: "b.example.com", State: leads.PortalActive, WebhookURL: "https://b.example.com/rest/1/x/", TokenHash: leads.HashToken("x"),
			}
			application := leads.Portal{MemberID: "application", Domain: before.Domain, State: leads.PortalActive, TokenHash: leads.HashToken("y")}
			f.save(before, elsewhere, application)
			for _, other := range []leads.Portal{elsewhere, application} {
				if take(f, other.MemberID, f.info.WebhookApplicationToken) {
					t.Errorf("accepted in the name of %s", other.MemberID)
				}
				if got := f.stored(other.MemberID); got.WebhookURL != other.WebhookURL {
					t.Errorf("the webhook of %s was replaced", other.MemberID)
				}
			}
			if !take(f, f.info.MemberID, f.info.WebhookApplicationToken) {
				t.Error("the new token is refused")
			}
			if got := f.stored(f.info.MemberID); got.WebhookURL.Reveal() != f.info.Webhook || !got.Recognises(leads.Secret(f.info.WebhookApplicationToken)) {
				t.Errorf("stored %+v", got)
			}
			if take(f, f.info.MemberID, "former") {
				t.Error("the former token is accepted")
			}
		})
	}
}

func TestConfiguredWebhookIsFoundAmongThePortals(t *testing.T) {
	f := openWebhook(t)
	f.save(leads.Portal{MemberID: "application", Domain: hostOf(t, f.info.Portal), State: leads.PortalActive})
	f.adopt()
	if f.portals() != 1 || !strings.Contains(f.log.String(), "LEADSYNC_B24_MEMBER_ID") {
		t.Errorf("before any: %d portals\n%s", f.portals(), f.log)
	}
	for name, p := range map[string]leads.Portal{
		"by its host":           {Domain: hostOf(t, f.info.Portal), TokenHash: leads.HashToken("former")},
		"by the token, renamed": {Domain: "former.bitrix24.com", TokenHash: leads.HashToken(leads.Secret(f.info.WebhookApplicationToken))},
	} {
		p.MemberID, p.State, p.WebhookURL = f.info.MemberID, leads.PortalActive, "https://x/rest/1/former/"
		f.save(p)
		f.adopt()
		if got := f.stored(f.info.MemberID); got.WebhookURL.Reveal() != f.info.Webhook || got.Domain != hostOf(t, f.info.Portal) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Only a token that the portal does not have yet proves that the settings are newer.
func TestKnownTokenDoesNotReplaceTheWebhook(t *testing.T) {
	f := openWebhook(t)
	before := *f.webhook(f.info.MemberID)
	before.WebhookURL = leads.Secret(f.info.Portal + "/rest/1/other/")
	f.save(before)
	if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); !got.Verified {
		t.Errorf("%+v", got)
	}
	if got := f.stored(f.info.MemberID); got.WebhookURL != before.WebhookURL || f.kept.count() != 0 {
		t.Errorf("stored %+v, %d notices", got, f.kept.count())
	}
}
