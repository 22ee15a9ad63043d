package portals_test

import (
	"net/http"
	"strings"
	"testing"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/portals"
)

func TestInstallationIsVerifiedAndStored(t *testing.T) {
	f := open(t, nil)
	if got := f.install(nil); got.Reason != portals.Accepted || got.Err != nil || !got.Verified {
		t.Fatalf("%+v\n%s", got, f.log)
	}
	p := f.stored(f.info.MemberID)
	if p.State != leads.PortalActive || p.ClientEndpoint != f.info.Portal+"/rest/" || p.ServerEndpoint != f.info.OAuth+"/rest/" ||
		p.Domain != hostOf(t, f.info.Portal) || p.UserID != 1 || !p.Recognises(leads.Secret(f.info.ApplicationToken)) {
		t.Errorf("stored %+v", p)
	}
	grant := f.grant()
	if grant.RefreshToken == "" || grant.ClientID != f.info.ClientID || grant.UserID != 1 {
		t.Errorf("grant %+v", grant)
	}
	if left := grant.ExpiresAt.Sub(f.clock.Now()); left < 0 || left.Hours() > 1 {
		t.Errorf("the access token expires in %s", left)
	}
	if f.kept.count() != 1 || !strings.Contains(f.kept.last(), `"event":"ONAPPINSTALL"`) || !strings.Contains(f.kept.last(), `"server_domain":"`+hostOf(t, f.info.OAuth)) {
		t.Errorf("%d notices, the last %s", f.kept.count(), f.kept.last())
	}
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), f.info.ApplicationToken} {
		if strings.Contains(f.log.String(), secret) || strings.Contains(f.kept.last(), secret) {
			t.Errorf("the log or the notice shows a token: %s\n%s", f.log, f.kept.last())
		}
	}
}

func TestInstallationIsKnownAtOnce(t *testing.T) {
	f := open(t, nil)
	if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); got.Reason != portals.UnknownPortal {
		t.Fatalf("%+v", got)
	}
	f.install(nil)
	if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); got.Reason != portals.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestForgedInstallationsAreRefused(t *testing.T) {
	f := open(t, nil)
	f.portal.Install("", "") // the authorization server knows the application
	for _, test := range []struct {
		name   string
		change func(*bitrix24.Callback)
	}{
		{"an authorization server of their own", func(cb *bitrix24.Callback) { cb.ServerEndpoint = "https://evil.example.com/rest/" }},
		{"a server behind a user name", func(cb *bitrix24.Callback) { cb.ServerEndpoint = "https://oauth.bitrix.info@evil.example.com/rest/" }},
		{"plain http", func(cb *bitrix24.Callback) { cb.ServerEndpoint = "http://oauth.bitrix.info/rest/" }},
		{"an invented token", func(*bitrix24.Callback) {}},
		{"no access token", func(cb *bitrix24.Callback) { cb.AccessToken = "" }},
		{"no refresh token", func(cb *bitrix24.Callback) { cb.RefreshToken = "" }},
		{"no application token", func(cb *bitrix24.Callback) { cb.ApplicationToken = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cb := bitrix24.Callback{
				Event: bitrix24.AppInstall, MemberID: f.info.MemberID, ApplicationToken: "t", AccessToken: "forged", RefreshToken: "forged",
				ExpiresIn: 3600, Scope: "crm", Domain: "evil.example.com", ClientEndpoint: "https://evil.example.com/rest/", ServerEndpoint: f.info.OAuth + "/rest/",
			}
			test.change(&cb)
			if got := f.registry.Install(t.Context(), cb); got.Reason != portals.NotVerified || got.Err == nil || got.Verified {
				t.Errorf("%+v\n%s", got, f.log)
			}
			if f.portals() != 0 || f.kept.count() != 0 {
				t.Errorf("%d portals stored", f.portals())
			}
		})
	}
}

// A real token of one portal does not install another.
func TestInstallationInAnotherPortalsName(t *testing.T) {
	f := open(t, nil)
	got := f.install(func(cb *bitrix24.Callback) { cb.MemberID = "bbbb" })
	if got.Reason != portals.NotVerified || f.portals() != 0 {
		t.Errorf("%+v, %d portals", got, f.portals())
	}
}

func TestInstallationOfAnotherApplication(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.OAuth.ClientID = "local.another" })
	got := f.install(nil)
	if got.Reason != portals.NotVerified || !strings.Contains(f.log.String(), "LEADSYNC_B24_CLIENT_ID") {
		t.Errorf("%+v, the log does not say which variable: %s", got, f.log)
	}
}

func TestInstallationBeforeAnApplicationIsConfigured(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.OAuth.ClientID = "" })
	if got := f.install(nil); got.Reason != portals.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestWhoMayInstall(t *testing.T) {
	another := leads.Portal{MemberID: "another", Domain: "a.example.com", State: leads.PortalActive}
	added := func(i emulator.Info) leads.Portal { // what `leadsync portals add` leaves
		return leads.Portal{MemberID: i.MemberID, State: leads.PortalNeedsAuthorization}
	}
	for _, test := range []struct {
		name    string
		allowed func(emulator.Info) []string
		before  func(emulator.Info) []leads.Portal
		want    portals.Reason
	}{
		{"the first", nil, nil, portals.Accepted},
		{"the first again", nil, func(i emulator.Info) []leads.Portal {
			return []leads.Portal{{MemberID: i.MemberID, Domain: "a.example.com", State: leads.PortalActive}}
		}, portals.Accepted},
		{"a second", nil, func(emulator.Info) []leads.Portal { return []leads.Portal{another} }, portals.NotVerified},
		{"a second where any may", func(emulator.Info) []string { return []string{"any"} }, func(emulator.Info) []leads.Portal { return []leads.Portal{another} }, portals.Accepted},
		{"named by its member id", func(i emulator.Info) []string { return []string{i.MemberID} }, func(emulator.Info) []leads.Portal { return []leads.Portal{another} }, portals.Accepted},
		{"named by its domain", func(i emulator.Info) []string { return []string{strings.TrimPrefix(i.Portal, "http://")} }, func(emulator.Info) []leads.Portal { return []leads.Portal{another} }, portals.Accepted},
		{"not named", func(emulator.Info) []string { return []string{"else"} }, nil, portals.NotVerified},
		{"not named, but added", func(emulator.Info) []string { return []string{"else"} }, func(i emulator.Info) []leads.Portal { return []leads.Portal{added(i)} }, portals.Accepted},
		{"a second that was added", nil, func(i emulator.Info) []leads.Portal { return []leads.Portal{another, added(i)} }, portals.Accepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, func(f *fixture) {
				if test.allowed != nil {
					f.cfg.Allowed = test.allowed(f.info)
				}
			})
			if test.before != nil {
				f.save(test.before(f.info)...)
			}
			if got := f.install(nil); got.Reason != test.want {
				t.Errorf("%+v, want %s\n%s", got, test.want, f.log)
			}
			if test.want != portals.Accepted && !strings.Contains(f.log.String(), "LEADSYNC_B24_PORTALS") {
				t.Errorf("the log does not say what to do: %s", f.log)
			}
		})
	}
}

func TestInstallationThatCannotBeVerifiedNow(t *testing.T) {
	f := open(t, nil)
	// Nobody listens there, though it may be trusted.
	f.cfg.OAuth.Trust.Insecure = append(f.cfg.OAuth.Trust.Insecure, "127.0.0.1:1")
	got := f.install(func(cb *bitrix24.Callback) { cb.ServerEndpoint = "http://127.0.0.1:1/rest/" })
	if got.Reason != portals.Unavailable {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(f.log.String(), "save the application's form in Bitrix24 again") {
		t.Errorf("the log does not say what to do: %s", f.log)
	}
}

// What a proxy answers in the authorization server's place settles nothing.
func TestOnlyTheAuthorizationServerRefuses(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   portals.Reason
		says   string
	}{
		{http.StatusForbidden, "<html>blocked", portals.Unavailable, "a page of HTML"},
		{http.StatusNotFound, "", portals.Unavailable, "empty"},
		{http.StatusProxyAuthRequired, `{"message":"log in"}`, portals.Unavailable, "neither result nor error"},
		{http.StatusUnauthorized, `{"error":"NOT_INSTALLED"}`, portals.NotVerified, "NOT_INSTALLED"},
		{http.StatusOK, `{"result":{"client_id":"x","install":[]}}`, portals.NotVerified, "no portal"},
		{http.StatusOK, `{"result":{"client_id":"x","install":{"member_id":"bbbb"}}}`, portals.NotVerified, "another portal"},
	} {
		f := open(t, nil)
		transport := emulatortest.NewTransport(f.portal)
		transport.Intercept(func(*http.Request) *http.Response { return emulatortest.Response(test.status, test.body) })
		f.cfg.OAuth.HTTP.Transport = transport
		if got := f.install(nil); got.Reason != test.want || got.Err == nil || !strings.Contains(got.Err.Error(), test.says) {
			t.Errorf("%d %s: %s %v", test.status, test.body, got.Reason, got.Err)
		}
	}
}

func TestInstallationNeedsTheDatabase(t *testing.T) {
	for _, access := range []bool{true, false} {
		f := open(t, nil)
		f.store.down.Store(true)
		got := f.install(func(cb *bitrix24.Callback) {
			if !access {
				cb.AccessToken = ""
			}
		})
		if got.Reason != portals.Unavailable {
			t.Errorf("with tokens %v: %+v", access, got)
		}
	}
}

func TestUpdateMayChangeTheTokenOnlyWhenVerified(t *testing.T) {
	f := open(t, nil)
	f.install(nil)
	grant := f.grant()
	update := func(access leads.Secret, application string) portals.Reason {
		cb := bitrix24.Callback{
			Event: bitrix24.AppUpdate, MemberID: f.info.MemberID, ApplicationToken: leads.Secret(application), AccessToken: access, RefreshToken: "r",
			ServerEndpoint: f.info.OAuth + "/rest/",
		}
		return f.registry.Install(t.Context(), cb).Reason
	}
	recognised := func(token string) bool { p := f.stored(f.info.MemberID); return p.Recognises(leads.Secret(token)) }
	if got := update("forged", "new"); got != portals.NotVerified || recognised("new") {
		t.Errorf("a forged update: %s", got)
	}
	if got := update("", "new"); got != portals.NotVerified || recognised("new") {
		t.Errorf("an update without tokens: %s", got)
	}
	before := f.kept.count()
	if got := update("", f.info.ApplicationToken); got != portals.Accepted || f.kept.count() != before+1 || !strings.Contains(f.kept.last(), `"event":"ONAPPUPDATE"`) {
		t.Errorf("an update without tokens, but with the known application_token: %s", got)
	}
	if got := update(grant.AccessToken, "new"); got != portals.Accepted || !recognised("new") {
		t.Errorf("a genuine update: %s", got)
	}
}

func TestTheApplicationsOwnUserComesBesideTheInstaller(t *testing.T) {
	f := open(t, nil)
	got := f.decide(func(events string) {
		f.portal.Install(events, "")
		f.drain()
		f.portal.UserReady()
	}, nil)
	if got.Reason != portals.Accepted {
		t.Fatalf("%+v\n%s", got, f.log)
	}
	grants, err := f.db.Grants(t.Context(), f.info.MemberID)
	if err != nil || len(grants) != 2 || !grants[0].System || grants[0].UserID != 512 || grants[1].System || grants[1].UserID != 1 {
		t.Errorf("grants %+v, %v\n%s", grants, err, f.log)
	}
	if p := f.stored(f.info.MemberID); p.UserID != 1 {
		t.Errorf("authorized by user %d", p.UserID)
	}
	if !strings.Contains(f.kept.last(), `"user_id":0`) {
		t.Errorf("notice %s", f.kept.last())
	}
	cb := callback(f.info.MemberID, f.info.ApplicationToken)
	cb.Event = bitrix24.UserReady
	if got := f.registry.Install(t.Context(), cb); got.Reason != portals.NotVerified {
		t.Errorf("without tokens: %+v", got)
	}
}
