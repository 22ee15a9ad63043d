package portals_test

import (
	"net/http"
	"strings"
	"testing"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/portals"
)

// rights makes the portal answer by method what a user may do; a status alone is a refusal.
func (f *fixture) rights(answers map[string]string) {
	transport := emulatortest.NewTransport(f.portal)
	transport.Intercept(func(r *http.Request) *http.Response {
		method := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		body, ok := answers[method]
		switch {
		case !ok:
			return nil
		case body == "":
			return emulatortest.Response(http.StatusForbidden, `{"error":"insufficient_scope","error_description":"The request requires higher privileges"}`)
		case body == "down":
			return emulatortest.Response(http.StatusBadGateway, "<html>")
		}
		return emulatortest.Response(http.StatusOK, `{"result":`+body+`,"time":{}}`)
	})
	f.cfg.OAuth.HTTP.Transport = transport
}

// authorizedBy makes the portal one that another user has authorized.
func (f *fixture) authorizedBy(user int64, state leads.PortalState) {
	f.t.Helper()
	f.loggedIn()
	p := f.stored(f.info.MemberID)
	p.UserID, p.State = user, state
	f.save(p)
}

func TestLesserUsersAreKeptOut(t *testing.T) {
	for _, test := range []struct {
		name    string
		state   leads.PortalState
		by      int64
		answers map[string]string
		want    portals.Reason
	}{
		{"an administrator", leads.PortalActive, 41, map[string]string{"user.admin": "true", "profile": "down"}, portals.Accepted},
		{"a lesser user", leads.PortalActive, 41, map[string]string{"user.admin": "false", "profile": "down"}, portals.NotAdministrator},
		{"an administrator, by profile", leads.PortalActive, 41, map[string]string{"user.admin": "", "profile": `{"ID":"7","ADMIN":"Y"}`}, portals.Accepted},
		{"a lesser user, by profile", leads.PortalActive, 41, map[string]string{"user.admin": "", "profile": `{"ID":"7","ADMIN":false}`}, portals.NotAdministrator},
		{"a profile that does not say", leads.PortalActive, 41, map[string]string{"user.admin": "", "profile": `{"ID":"7"}`}, portals.NotAdministrator},
		{"nobody says", leads.PortalActive, 41, map[string]string{"user.admin": "", "profile": ""}, portals.LoginFailed},
		{"the portal is down", leads.PortalActive, 41, map[string]string{"user.admin": "down", "profile": "down"}, portals.LoginFailed},
		{"the same user again", leads.PortalActive, 1, map[string]string{"user.admin": "false"}, portals.Accepted},
		{"no tokens work", leads.PortalNeedsAuthorization, 41, map[string]string{"user.admin": "false"}, portals.Accepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, nil)
			f.authorizedBy(test.by, test.state)
			before, notices := f.grant(), f.kept.count()
			back := f.logIn()
			f.rights(test.answers)
			got := f.registry.Authorize(t.Context(), back)
			if got.Reason != test.want {
				t.Fatalf("%+v, want %s", got, test.want)
			}
			if replaced := f.grant().RefreshToken != before.RefreshToken; replaced != (test.want == portals.Accepted) || (f.kept.count() > notices) != replaced {
				t.Errorf("tokens replaced: %v, %d notices", replaced, f.kept.count()-notices)
			}
		})
	}
}

// Everybody to whom the portal shows the application's page gets tokens of it: who posts
// them as an installation must not come in by that.
func TestLesserUserMayNotInstallEither(t *testing.T) {
	for event, token := range map[bitrix24.Event]string{bitrix24.AppInstall: "invented", bitrix24.AppUpdate: "invented", bitrix24.UserReady: "invented"} {
		f := open(t, nil)
		f.authorizedBy(41, leads.PortalActive)
		grant := f.grant()
		f.rights(map[string]string{"user.admin": "false"})
		cb := bitrix24.Callback{
			Event: event, MemberID: f.info.MemberID, ApplicationToken: leads.Secret(token), AccessToken: grant.AccessToken, RefreshToken: "r",
			ServerEndpoint: f.info.OAuth + "/rest/",
		}
		if got := f.registry.Install(t.Context(), cb); got.Reason != portals.NotAdministrator {
			t.Errorf("%s: %+v", event, got)
		}
		if p := f.stored(f.info.MemberID); p.Recognises(leads.Secret(token)) || f.grant().RefreshToken != grant.RefreshToken {
			t.Errorf("%s replaced something", event)
		}
	}
}

// What carries the portal's application_token comes from Bitrix24, where administrators
// install; its own user may be none.
func TestBitrix24sOwnInstallationsAreNotQuestioned(t *testing.T) {
	f := open(t, nil)
	f.decide(func(events string) {
		f.portal.Install(events, "")
		f.drain()
		f.rights(map[string]string{"user.admin": "false", "profile": "down"})
		f.portal.UserReady()
	}, nil)
	if grants, err := f.db.Grants(t.Context(), f.info.MemberID); err != nil || len(grants) != 2 {
		t.Errorf("%d grants, %v: %s", len(grants), err, f.log)
	}
}
