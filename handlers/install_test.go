package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

// delivered installs the application in the portal and waits until its callback is
// answered.
func (f *face) delivered() emulator.Callback {
	f.t.Helper()
	f.portal.Install(f.url+"/bitrix24/events", f.url+"/bitrix24/oauth/callback")
	if err := f.portal.DrainCallbacks(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	all := f.portal.Callbacks()
	return all[len(all)-1]
}

func TestInstallationIsVerifiedAndStored(t *testing.T) {
	f := open(t, nil)
	if cb := f.delivered(); cb.Status != http.StatusOK {
		t.Fatalf("answered %d %s\n%s", cb.Status, cb.Error, f.logged)
	}
	info := f.portal.Info()
	p := f.portals()[0]
	if p.MemberID != info.MemberID || p.State != leads.PortalActive || p.ClientEndpoint != info.Portal+"/rest/" ||
		p.ServerEndpoint != info.OAuth+"/rest/" || !p.Recognises(leads.Secret(info.ApplicationToken)) {
		t.Errorf("stored %+v", p)
	}
	grant, ok, err := f.db.Grant(t.Context(), info.MemberID)
	if err != nil || !ok || grant.RefreshToken == "" || grant.ClientID != info.ClientID || grant.UserID != 1 {
		t.Errorf("grant %+v, %v, %v", grant, ok, err)
	}
	if n := f.held(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices", n)
	}
	log := f.logged.String()
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), info.ApplicationToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows a token: %s", log)
		}
	}
}

func TestInstallationNoticeCarriesNoToken(t *testing.T) {
	f := open(t, nil)
	f.delivered()
	s, err := f.js.Stream(t.Context(), events.StreamPortals)
	if err != nil {
		t.Fatal(err)
	}
	info := f.portal.Info()
	msg, err := s.GetLastMsgForSubject(t.Context(), events.PortalSubject(info.MemberID))
	if err != nil {
		t.Fatal(err)
	}
	grant, _, err := f.db.Grant(t.Context(), info.MemberID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), info.ApplicationToken} {
		if strings.Contains(string(msg.Data), secret) {
			t.Errorf("it does: %s", msg.Data)
		}
	}
}

// install is the body of an installation.
func install(member string, change func(url.Values)) string {
	form := url.Values{
		"event": {"ONAPPINSTALL"}, "ts": {"1766047124"}, "auth[member_id]": {member}, "auth[application_token]": {"t"},
		"auth[access_token]": {"forged"}, "auth[refresh_token]": {"forged"}, "auth[expires_in]": {"3600"},
		"auth[scope]": {"crm"}, "auth[domain]": {"evil.example.com"},
		"auth[client_endpoint]": {"https://evil.example.com/rest/"},
	}
	change(form)
	return form.Encode()
}

func TestForgedInstallationsAreRefused(t *testing.T) {
	f := open(t, nil)
	info := f.portal.Info()
	f.portal.Install("", "") // the authorization server knows the application
	for _, test := range []struct {
		name   string
		change func(url.Values)
		status int
		reason string
	}{
		{"an authorization server of their own", func(v url.Values) { v.Set("auth[server_endpoint]", "https://evil.example.com/rest/") }, 403, handlers.RefusedInstall},
		{"a server behind a user name", func(v url.Values) { v.Set("auth[server_endpoint]", "https://oauth.bitrix.info@evil.example.com/rest/") }, 403, handlers.RefusedInstall},
		{"plain http", func(v url.Values) { v.Set("auth[server_endpoint]", "http://oauth.bitrix.info/rest/") }, 403, handlers.RefusedInstall},
		{"an invented token", func(v url.Values) { v.Set("auth[server_endpoint]", info.OAuth+"/rest/") }, 403, handlers.RefusedInstall},
		{"no tokens", func(v url.Values) { v.Del("auth[access_token]"); v.Set("auth[server_endpoint]", info.OAuth+"/rest/") }, 403, handlers.RefusedInstall},
		{"no application token", func(v url.Values) {
			v.Del("auth[application_token]")
			v.Set("auth[server_endpoint]", info.OAuth+"/rest/")
		}, 403, handlers.RefusedInstall},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := f.Stats.Refused()[test.reason]
			status, answer := f.post(install(info.MemberID, test.change))
			if status != test.status || answer != "" {
				t.Errorf("answered %d %q\n%s", status, answer, f.logged)
			}
			if f.Stats.Refused()[test.reason] != before+1 {
				t.Errorf("counted %v", f.Stats.Refused())
			}
			if n := len(f.portals()); n != 0 || f.held(events.StreamPortals) != 0 {
				t.Errorf("%d portals stored", n)
			}
		})
	}
}

// A real token of one portal does not install another.
func TestInstallationInAnotherPortalsNameIsRefused(t *testing.T) {
	f := open(t, nil)
	f.delivered()
	grant, _, err := f.db.Grant(t.Context(), f.portal.Info().MemberID)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := f.post(install("bbbb", func(v url.Values) {
		v.Set("auth[access_token]", grant.AccessToken.Reveal())
		v.Set("auth[server_endpoint]", f.portal.Info().OAuth+"/rest/")
	}))
	if status != http.StatusForbidden || len(f.portals()) != 1 {
		t.Errorf("answered %d, %d portals", status, len(f.portals()))
	}
}

func TestInstallationIsRefusedForAnotherApplication(t *testing.T) {
	f := open(t, func(_ *face, cfg *handlers.Config) { cfg.OAuth.ClientID = "local.another" })
	if cb := f.delivered(); cb.Status != http.StatusForbidden {
		t.Errorf("answered %d", cb.Status)
	}
	if !strings.Contains(f.logged.String(), "LEADSYNC_B24_CLIENT_ID") {
		t.Errorf("the log does not say which variable: %s", f.logged)
	}
}

func TestWhoMayInstall(t *testing.T) {
	for _, test := range []struct {
		name    string
		allowed func(emulator.Info) []string
		before  string // a portal that is there already
		status  int
		says    string
	}{
		{"the first", nil, "", 200, ""},
		{"the first again", nil, "itself", 200, ""},
		{"a second", nil, "another", 403, "LEADSYNC_B24_PORTALS"},
		{"a second where any may", func(emulator.Info) []string { return []string{"any"} }, "another", 200, ""},
		{"named by its member id", func(i emulator.Info) []string { return []string{i.MemberID} }, "another", 200, ""},
		{"named by its domain", func(i emulator.Info) []string { return []string{strings.TrimPrefix(i.Portal, "http://")} }, "another", 200, ""},
		{"not named", func(emulator.Info) []string { return []string{"else"} }, "", 403, "LEADSYNC_B24_PORTALS"},
		{"not named, but added", func(emulator.Info) []string { return []string{"else"} }, "added", 200, ""},
		{"a second that was added", nil, "added beside another", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, func(f *face, cfg *handlers.Config) {
				if test.allowed != nil {
					cfg.Allowed = test.allowed(f.portal.Info())
				}
			})
			switch test.before {
			case "itself":
				f.installed()
			case "another":
				if err := f.db.SavePortal(t.Context(), leads.Portal{MemberID: "another", Domain: "a.example.com", State: leads.PortalActive}); err != nil {
					t.Fatal(err)
				}
			}
			if strings.HasPrefix(test.before, "added") {
				f.added(test.before)
			}
			if cb := f.delivered(); cb.Status != test.status {
				t.Errorf("answered %d, want %d\n%s", cb.Status, test.status, f.logged)
			}
			if !strings.Contains(f.logged.String(), test.says) {
				t.Errorf("the log does not say what to do: %s", f.logged)
			}
		})
	}
}

func TestInstallationThatCannotBeVerifiedNowIsAskedForAgain(t *testing.T) {
	f := open(t, nil)
	// Nobody listens there, though it may be trusted.
	f.OAuth.Trust.Insecure = append(f.OAuth.Trust.Insecure, "127.0.0.1:1")
	status, _ := f.post(install(f.portal.Info().MemberID, func(v url.Values) { v.Set("auth[server_endpoint]", "http://127.0.0.1:1/rest/") }))
	if status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
	if !strings.Contains(f.logged.String(), "save the application's form in Bitrix24 again") {
		t.Errorf("the log does not say what to do: %s", f.logged)
	}
}

// added is what `leadsync portals add` leaves of a portal that is to install.
func (f *face) added(how string) {
	f.t.Helper()
	portals := []leads.Portal{{MemberID: f.portal.Info().MemberID, State: leads.PortalNeedsAuthorization}}
	if strings.HasSuffix(how, "another") {
		portals = append(portals, leads.Portal{MemberID: "another", State: leads.PortalActive})
	}
	for _, p := range portals {
		if err := f.db.SavePortal(f.t.Context(), p); err != nil {
			f.t.Fatal(err)
		}
	}
}
