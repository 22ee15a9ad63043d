package portals_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/portals"
)

func TestLogInStoresThePortal(t *testing.T) {
	f := open(t, nil)
	got := f.registry.Authorize(t.Context(), f.logIn())
	if domain := hostOf(t, f.info.Portal); got.Reason != portals.Accepted || got.Domain != domain {
		t.Fatalf("%+v\n%s", got, f.log)
	}
	p := f.stored(f.info.MemberID)
	if p.Domain != got.Domain || p.State != leads.PortalActive || p.TokenHash != "" || p.ServerEndpoint != f.info.OAuth+"/rest/" {
		t.Errorf("stored %+v", p)
	}
	if f.kept.count() != 1 || !strings.Contains(f.kept.last(), `"event":"oauth"`) {
		t.Errorf("%d notices, the last %s", f.kept.count(), f.kept.last())
	}
}

// The redirect does not bring the application_token; what an installation brought stays.
func TestLogInKeepsTheApplicationToken(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.loggedIn()
	if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); got.Reason != portals.Accepted {
		t.Errorf("%+v", got)
	}
}

func TestLogInsThatFailHaveAReason(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*fixture, *portals.Redirect)
		want  portals.Reason
	}{
		{"an expired code", func(_ *fixture, r *portals.Redirect) { r.Code = "expired" }, portals.CodeExpired},
		{"a code used twice", func(f *fixture, r *portals.Redirect) {
			if _, err := f.cfg.OAuth.Exchange(f.t.Context(), r.Server, r.Code); err != nil {
				f.t.Fatal(err)
			}
		}, portals.CodeExpired},
		{"no code", func(_ *fixture, r *portals.Redirect) { r.Code = "" }, portals.CodeExpired},
		{"a server of their own", func(_ *fixture, r *portals.Redirect) { r.Server = "evil.example.com" }, portals.UntrustedServer},
		{"another portal's member_id", func(_ *fixture, r *portals.Redirect) { r.MemberID = "bbbb" }, portals.NotServed},
		{"a wrong secret", func(f *fixture, _ *portals.Redirect) { f.cfg.OAuth.ClientSecret = "wrong" }, portals.WrongApplication},
		{"no database", func(f *fixture, _ *portals.Redirect) { f.store.down.Store(true) }, portals.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, nil)
			back := f.logIn()
			code := back.Code
			test.spoil(f, &back)
			if got := f.registry.Authorize(t.Context(), back); got.Reason != test.want || got.Err == nil {
				t.Errorf("%+v, want %s", got, test.want)
			}
			if f.portals() != 0 {
				t.Error("a portal was stored")
			}
			if strings.Contains(f.log.String(), code) || !strings.Contains(f.log.String(), "authorization failed") {
				t.Errorf("the log shows the code, or nothing: %s", f.log)
			}
		})
	}
}

// Anybody can send somebody a link to the start page: it must not lead to anybody's host.
func TestLogInLeadsOnlyToPortalsThatMayBeServed(t *testing.T) {
	const redirect, ask = true, false
	long := strings.Repeat("a", 63)
	f := open(t, nil)
	for _, test := range []struct {
		name    string
		allowed []string
		known   string
		domain  string
		reason  portals.Reason
		is      bool // redirect or ask, if accepted
	}{
		{"known", nil, "company.bitrix24.com", "company.bitrix24.com", portals.Accepted, redirect},
		{"known, in capitals", nil, "company.bitrix24.com", " Company.Bitrix24.com", portals.Accepted, redirect},
		{"a second one", nil, "company.bitrix24.com", "evil.example.com", portals.NotServed, ask},
		{"on the list", []string{"company.bitrix24.com"}, "", "company.bitrix24.com", portals.Accepted, redirect},
		{"on the list in capitals", []string{"Company.Bitrix24.com"}, "", "company.bitrix24.com", portals.Accepted, redirect},
		{"not on the list", []string{"company.bitrix24.com"}, "", "evil.example.com", portals.NotServed, ask},
		{"a list of member ids", []string{"a223c6b3710f85df22e9377d6c4f7553"}, "", "company.bitrix24.com", portals.Accepted, ask},
		{"any", []string{"any"}, "other.bitrix24.com", "company.bitrix24.com", portals.Accepted, ask},
		{"the first", nil, "", "company.bitrix24.com", portals.Accepted, ask},
		{"the first, self-hosted", nil, "", "crm.company.co.uk", portals.Accepted, ask},
		{"the first, in Cyrillic", nil, "", "xn--80a1acny.xn--p1ai", portals.Accepted, ask},
		{"the longest label", nil, "", long + ".example.com", portals.Accepted, ask},
		{"a label that is too long", nil, "", long + "a.example.com", portals.NotServed, ask},
		{"the longest name", nil, "", strings.Repeat("a.", 125) + "com", portals.Accepted, ask},
		{"a name that is too long", nil, "", strings.Repeat("a.", 126) + "com", portals.NotServed, ask},
		{"a short top label", nil, "", "example.co", portals.Accepted, ask},
		{"a top label of one letter", nil, "", "example.c", portals.NotServed, ask},
		{"an address", nil, "", "192.0.2.7", portals.NotServed, ask},
		{"a long number at the end", nil, "", "192.0.2.77", portals.NotServed, ask},
		{"an address of ours", nil, "", "127.0.0.1:9", portals.NotServed, ask},
		{"an address of six", nil, "", "[2001:db8::1]", portals.NotServed, ask},
		{"a port", nil, "", "company.bitrix24.com:8443", portals.NotServed, ask},
		{"a name of the local network", nil, "", "router.lan", portals.NotServed, ask},
		{"no dot", nil, "", "localhost", portals.NotServed, ask},
		{"no dot, not reserved", nil, "", "company", portals.NotServed, ask},
		{"an empty label", nil, "", "a..example.com", portals.NotServed, ask},
		{"a trailing dot", nil, "", "company.bitrix24.com.", portals.NotServed, ask},
		{"a leading hyphen", nil, "", "-a.example.com", portals.NotServed, ask},
		{"a trailing hyphen", nil, "", "a-.example.com", portals.NotServed, ask},
		{"letters that look like others", nil, "", "соmpany.bitrix24.com", portals.NotServed, ask},
		{"nothing", nil, "", "", portals.BadDomain, ask},
		{"a path", nil, "", "a.example.com/evil", portals.BadDomain, ask},
		{"a user", nil, "", "user@a.example.com", portals.BadDomain, ask},
		{"a query", nil, "", "a.example.com?x=", portals.BadDomain, ask},
		{"a fragment", nil, "", "a.example.com#x", portals.BadDomain, ask},
		{"a backslash", nil, "", `a.example.com\evil`, portals.BadDomain, ask},
		{"an address and a path", nil, "", "127.0.0.1:80/", portals.BadDomain, ask},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := f.cfg
			cfg.Allowed, cfg.Store = test.allowed, listed{f.store, test.known}
			to, got := portals.New(cfg).Destination(t.Context(), test.domain)
			if got.Reason != test.reason {
				t.Fatalf("%+v, want %s", got, test.reason)
			}
			want := portals.Destination{}
			if test.reason == portals.Accepted {
				domain := strings.ToLower(strings.TrimSpace(test.domain))
				want = portals.Destination{Domain: domain, Endpoint: "https://" + domain + "/", ClientID: f.info.ClientID, Known: test.is}
			}
			if to != want {
				t.Errorf("%+v, want %+v", to, want)
			}
			if test.reason == portals.NotServed && got.Err == nil {
				t.Error("it does not say why")
			}
		})
	}
}

// listed knows one portal by its domain, or none.
type listed struct {
	*database

	domain string
}

func (l listed) Portals(context.Context) ([]leads.Portal, error) {
	if l.domain == "" {
		return nil, nil
	}
	return []leads.Portal{{MemberID: "known", Domain: l.domain, State: leads.PortalActive}}, nil
}

func TestLogInNeedsAnApplicationAndADatabase(t *testing.T) {
	f := open(t, nil)
	f.store.down.Store(true)
	if _, got := f.registry.Destination(t.Context(), "company.bitrix24.com"); got.Reason != portals.Unavailable || !errors.Is(got.Err, errDown) {
		t.Errorf("without a database: %+v", got)
	}
	for _, spoil := range []func(*fixture){
		func(f *fixture) { f.cfg.OAuth.ClientID = "" },
		func(f *fixture) { f.cfg.OAuth.ClientSecret = "" },
	} {
		f := open(t, spoil)
		if _, got := f.registry.Destination(t.Context(), "company.bitrix24.com"); got.Reason != portals.NoApplication {
			t.Errorf("%+v", got)
		}
	}
}

// A portal's own application logs in, is verified and exchanges codes.
func TestAPortalsOwnApplicationIsUsed(t *testing.T) {
	f := open(t, func(f *fixture) {
		f.cfg.OAuth.ClientID, f.cfg.OAuth.ClientSecret = "local.of.the.settings", "another"
	})
	f.save(leads.Portal{
		MemberID: f.info.MemberID, Domain: hostOf(t, f.info.Portal), State: leads.PortalNeedsAuthorization,
		ClientID: f.info.ClientID, ClientSecret: leads.Secret(f.info.ClientSecret),
	})
	f.loggedIn()
	if got := f.install(nil); got.Reason != portals.Accepted {
		t.Errorf("the installation: %+v\n%s", got, f.log)
	}
	p := f.stored(f.info.MemberID)
	if p.State != leads.PortalActive || p.ClientID != f.info.ClientID || p.ClientSecret.Reveal() != f.info.ClientSecret {
		t.Errorf("stored %+v", p)
	}
	if strings.Contains(f.log.String(), f.info.ClientSecret) {
		t.Error("the log shows the secret")
	}
}
