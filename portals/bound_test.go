package portals_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/portals"
)

// forgeInstall posts an invented installation, as the handler counts it.
func (f *fixture) forgeInstall(member string) portals.Reason {
	f.t.Helper()
	got := f.registry.Install(f.t.Context(), bitrix24.Callback{
		Event: bitrix24.AppInstall, MemberID: member, ApplicationToken: "forged", AccessToken: "forged", RefreshToken: "forged",
		ServerEndpoint: f.info.OAuth + "/rest/",
	})
	f.registry.Count(f.t.Context(), got)
	return got.Reason
}

func TestForgedInstallationsCostFewRequests(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.Allowed = []string{"any"} })
	f.portal.Install("", "")
	asked := func() int { return f.portal.Stats().Requests["app.info"] }
	for range 20 {
		f.forgeInstall(f.info.MemberID)
	}
	if n := asked(); n != 5 {
		t.Errorf("20 for one portal cost %d requests", n)
	}
	if got := f.forgeInstall(f.info.MemberID); got != portals.TooMany {
		t.Errorf("%s", got)
	}
	for i := range 100 {
		f.forgeInstall("member" + strconv.Itoa(i))
	}
	if n := asked(); n != 30 {
		t.Errorf("100 more for other portals cost %d requests", n)
	}
	f.clock.Advance(20 * time.Second)
	if got := f.forgeInstall(f.info.MemberID); got != portals.NotVerified || asked() != 31 {
		t.Errorf("20 s later: %s, %d requests", got, asked())
	}
	if log := f.log.String(); strings.Contains(log, "ERROR") || strings.Count(log, "\n") > 6 {
		t.Errorf("the log: %s", log)
	}
}

// What the authorization server says of an invented token settles the matter, whatever its
// code; that it does not answer settles nothing.
func TestRefusedTokensAreNoFailure(t *testing.T) {
	for code, want := range map[string]portals.Reason{
		"expired_token": portals.NotVerified, "INVALID_TOKEN": portals.NotVerified, "NO_AUTH_FOUND": portals.NotVerified, "insufficient_scope": portals.NotVerified,
		"QUERY_LIMIT_EXCEEDED": portals.Unavailable, "INTERNAL_SERVER_ERROR": portals.Unavailable,
	} {
		f := open(t, nil)
		transport := emulatortest.NewTransport(f.portal)
		transport.Intercept(func(*http.Request) *http.Response {
			return emulatortest.Response(http.StatusUnauthorized, `{"error":"`+code+`","error_description":"no"}`)
		})
		f.cfg.OAuth.HTTP.Transport = transport
		if got := f.forgeInstall(f.info.MemberID); got != want || strings.Contains(f.log.String(), "level=ERROR") {
			t.Errorf("%s: %s\n%s", code, got, f.log)
		}
	}
}

// A genuine installation that is lost is an error: Bitrix24 does not repeat it.
func TestLostInstallationIsAnError(t *testing.T) {
	f := open(t, nil)
	f.kept.fail = errors.New("no space")
	if got := f.install(nil); got.Reason != portals.Unavailable || !strings.Contains(f.log.String(), "level=ERROR") {
		t.Errorf("%+v: %s", got, f.log)
	}
}

// A flood does not keep the portal's own installation out.
func TestGenuineInstallationPassesAFlood(t *testing.T) {
	f := open(t, nil)
	f.install(nil)
	for range 40 {
		f.forgeInstall(f.info.MemberID)
	}
	if got := f.install(nil); got.Reason != portals.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestSecondPortalCostsNoRequest(t *testing.T) {
	f := open(t, nil)
	f.save(leads.Portal{MemberID: "first", Domain: "a.example.com", State: leads.PortalActive})
	if got := f.forgeInstall(f.info.MemberID); got != portals.NotVerified || f.portal.Stats().Requests["app.info"] != 0 {
		t.Errorf("%s, %d requests", got, f.portal.Stats().Requests["app.info"])
	}
	if !strings.Contains(f.log.String(), "LEADSYNC_B24_PORTALS") {
		t.Errorf("the log does not say what to do: %s", f.log)
	}
}

func TestAThirdAuthorizationServerHasASetting(t *testing.T) {
	f := open(t, nil)
	got := f.install(func(cb *bitrix24.Callback) { cb.ServerEndpoint = "https://oauth.bitrix24.info/rest/" })
	if got.Reason != portals.NotVerified {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{"oauth.bitrix24.info", "LEADSYNC_B24_AUTH_HOSTS"} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, f.log)
		}
	}
}

// What was kept and is found to be forged has a line for each portal, but not for each that
// somebody invents.
func TestForgeriesFoundLaterAreLoggedByPortal(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.save(leads.Portal{MemberID: "other", Domain: "b.example.com", State: leads.PortalActive, TokenHash: leads.HashToken("x")})
	for _, member := range []string{f.info.MemberID, "other", "invented1", "invented2", "other"} {
		if f.verify(member, "wrong") {
			t.Errorf("%s counts as genuine", member)
		}
	}
	if n := strings.Count(f.log.String(), "reason=forged"); n != 3 || !strings.Contains(f.log.String(), "domain=b.example.com") {
		t.Errorf("%d lines: %s", n, f.log)
	}
}

func TestMissingApplicationIsWarnedAboutAtOnce(t *testing.T) {
	for name, spoil := range map[string]func(*fixture){
		"no client id":     func(f *fixture) { f.cfg.OAuth.ClientID = "" },
		"no client secret": func(f *fixture) { f.cfg.OAuth.ClientSecret = "" },
		"":                 nil,
	} {
		f := open(t, spoil)
		f.install(nil)
		if warned := strings.Contains(f.log.String(), "LEADSYNC_B24_CLIENT_SECRET is missing"); warned != (spoil != nil) {
			t.Errorf("%s: warned %v: %s", name, warned, f.log)
		}
	}
}

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.save(leads.Portal{MemberID: "other", Domain: "b.example.com", State: leads.PortalActive, TokenHash: leads.HashToken("x")})
	refuse := func(member string) {
		f.registry.Count(t.Context(), f.recognise(member, "wrong"))
	}
	lines := func() int { return strings.Count(f.log.String(), "callback refused") }
	for range 10 {
		refuse(f.info.MemberID)
		refuse("other")
	}
	for i := range 10 { // anybody can invent member ids: they share a line
		refuse("invented" + strconv.Itoa(i))
	}
	if n := lines(); n != 3 {
		t.Errorf("%d lines: %s", n, f.log)
	}
	f.clock.Advance(time.Minute - time.Nanosecond)
	refuse("other")
	if n := lines(); n != 3 {
		t.Errorf("%d lines within a minute", n)
	}
	f.clock.Advance(time.Nanosecond)
	refuse("other")
	if n := lines(); n != 4 || !strings.Contains(f.log.String(), "count=11") {
		t.Errorf("%d lines after a minute: %s", n, f.log)
	}
	for _, want := range []string{"reason=wrong_token", "reason=unknown_portal", "member_id=other", "domain=b.example.com", "LEADSYNC_B24_APPLICATION_TOKEN"} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, f.log)
		}
	}
	if n := f.registry.Stats.Refused()["wrong_token"]; n != 22 {
		t.Errorf("%d counted", n)
	}
}

// An installation that comes while the service opens its database waits for it: Bitrix24 does
// not repeat one.
func TestInstallationsWaitForTheDatabase(t *testing.T) {
	started := make(chan struct{})
	f := open(t, func(f *fixture) { f.cfg.Allowed, f.cfg.Started = []string{"any"}, started })
	f.portal.Install("", "")
	answered := make(chan portals.Reason, 1)
	go func() { answered <- f.forgeInstall(f.info.MemberID) }()
	select {
	case reason := <-answered:
		t.Fatalf("answered before the database was ready: %s", reason)
	case <-time.After(50 * time.Millisecond):
	}
	close(started)
	if reason := <-answered; reason != portals.NotVerified {
		t.Errorf("answered %s", reason)
	}
}
