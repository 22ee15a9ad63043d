package repotest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func portals(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	if _, ok, err := m.Portal(m.ctx, member); ok || err != nil {
		t.Errorf("a portal before any: %v, %v", ok, err)
	}
	portal := leads.Portal{
		MemberID: member, Domain: "мой.bitrix24.ru", State: leads.PortalActive,
		ClientEndpoint: "https://my.bitrix24.ru/rest/", ServerEndpoint: "https://oauth.bitrix24.tech/rest/",
		WebhookURL: "https://my.bitrix24.ru/rest/1/s3cret/", TokenHash: leads.HashToken("token"), UserID: 41, UpdatedAt: start,
	}
	wantPortal := func(want leads.Portal) {
		t.Helper()
		if err := m.SavePortal(m.ctx, want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := m.Portal(m.ctx, want.MemberID)
		if err != nil || !ok {
			t.Fatalf("portal: %v, %v", ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" || got != want { // cmp compares redacted text
			t.Errorf("portal (-want +got):\n%s", diff)
		}
	}
	wantPortal(portal)
	portal.Domain, portal.WebhookURL = "new.bitrix24.ru", ""
	portal.ClientID, portal.ClientSecret = "local.2", "its own"
	wantPortal(portal)
	second := leads.Portal{MemberID: other, State: leads.PortalNeedsAuthorization, UpdatedAt: start}
	wantPortal(second)
	m.clock.Advance(time.Hour)
	if err := m.SetPortalState(m.ctx, member, leads.PortalUninstalled); err != nil {
		t.Fatal(err)
	}
	portal.State, portal.UpdatedAt = leads.PortalUninstalled, start.Add(time.Hour)
	all, err := m.Portals(m.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]leads.Portal{portal, second}, all); diff != "" {
		t.Errorf("portals (-want +got):\n%s", diff)
	}
	if err := m.SetPortalState(m.ctx, "unknown", leads.PortalActive); err == nil {
		t.Error("the state of an unknown portal was set")
	}
}

func tokens(t *testing.T, server Server) {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	t.Run("plain", func(t *testing.T) { rotation(t, open(t, server, repo.Config{})) })
	t.Run("sealed", func(t *testing.T) { rotation(t, open(t, server, repo.Config{SecretKey: key})) })
	t.Run("encrypted at rest", func(t *testing.T) { atRest(t, open(t, server, repo.Config{SecretKey: key}), key) })
	t.Run("one of many processes rotates", func(t *testing.T) { rotationRace(t, open(t, server, repo.Config{SecretKey: key})) })
}

func grant(access, refresh leads.Secret) leads.Grant {
	return leads.Grant{
		MemberID: member, AccessToken: access, RefreshToken: refresh, ExpiresAt: start.Add(time.Hour),
		Scope: "crm,user", UserID: 41, ClientID: "local.1",
	}
}

// wantGrant wants these tokens to be stored. It compares with ==, because cmp would compare
// the redacted text of secrets.
func wantGrant(m *mirror, want leads.Grant) {
	m.t.Helper()
	got, ok, err := m.Grant(m.ctx, want.MemberID)
	if err != nil || !ok || got != want {
		m.t.Fatalf("grant %+v, %v, %v; want %+v", got, ok, err, want)
	}
}

func rotation(t *testing.T, m *mirror) {
	t.Helper()
	if _, ok, err := m.Grant(m.ctx, member); ok || err != nil {
		t.Errorf("a grant before any: %v, %v", ok, err)
	}
	if err := m.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}); err != nil {
		t.Fatal(err)
	}
	for _, g := range []leads.Grant{grant("a0", "r0"), grant("a1", "r1")} {
		if err := m.SaveGrant(m.ctx, g); err != nil {
			t.Fatal(err)
		}
		wantGrant(m, g)
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_oauth"); n != "1" {
		t.Errorf("%s rows of one portal", n)
	}
	if got := m.text("SELECT domain FROM bitrix_oauth") + " " + m.text("SELECT expires_in FROM bitrix_oauth"); got != "my.bitrix24.ru 3600" {
		t.Errorf("the call centre's columns have %q", got)
	}
	next := grant("a2", "r2")
	if ok, err := m.RotateGrant(m.ctx, "r1", next); !ok || err != nil {
		t.Fatalf("rotation: %v, %v", ok, err)
	}
	wantGrant(m, next)
	for _, spent := range []leads.Secret{"r1", "r0", "", "R2"} {
		if ok, err := m.RotateGrant(m.ctx, spent, grant("x", "y")); ok || err != nil {
			t.Errorf("rotation by %q: %v, %v", spent.Reveal(), ok, err)
		}
	}
	wantGrant(m, next)
}

func atRest(t *testing.T, m *mirror, key []byte) {
	t.Helper()
	secrets := []string{"access-secret", "refresh-secret", "webhook-secret", "client-secret"}
	if err := m.SaveGrant(m.ctx, grant(leads.Secret(secrets[0]), leads.Secret(secrets[1]))); err != nil {
		t.Fatal(err)
	}
	portal := leads.Portal{MemberID: member, State: leads.PortalActive, WebhookURL: leads.Secret(secrets[2]), ClientID: "local.1", ClientSecret: leads.Secret(secrets[3])}
	if err := m.SavePortal(m.ctx, portal); err != nil {
		t.Fatal(err)
	}
	for i, statement := range []string{
		"SELECT access_token FROM bitrix_oauth", "SELECT refresh_token FROM bitrix_oauth", "SELECT webhook_url FROM leadsync_portals",
		"SELECT client_secret FROM leadsync_portals",
	} {
		if got := m.text(statement); !strings.HasPrefix(got, "enc:v1:") || strings.Contains(got, secrets[i]) {
			t.Errorf("%s: %s", statement, got)
		}
	}
	if err := m.SetApplication(m.ctx, member, "local.2", leads.Secret(secrets[3])); err != nil {
		t.Fatal(err)
	}
	if got := m.text("SELECT client_secret FROM leadsync_portals"); !strings.HasPrefix(got, "enc:v1:") {
		t.Errorf("client_secret is stored as %s", got)
	}
	for name, wrong := range map[string][]byte{"another key": bytes.Repeat([]byte{8}, 32), "no key": nil} {
		blind := m.again(repo.Config{SecretKey: wrong})
		_, _, err := blind.Grant(m.ctx, member)
		if err == nil || !strings.Contains(err.Error(), "LEADSYNC_SECRET_KEY") {
			t.Errorf("grant with %s: %v", name, err)
		}
		if _, _, err := blind.Portal(m.ctx, member); err == nil {
			t.Errorf("portal with %s is readable", name)
		}
	}
	m.exec("UPDATE bitrix_oauth SET access_token = 'plain from before the key'")
	got, _, err := m.again(repo.Config{SecretKey: key}).Grant(m.ctx, member)
	if err != nil || got.AccessToken.Reveal() != "plain from before the key" {
		t.Errorf("a plain token with a key set: %q, %v", got.AccessToken.Reveal(), err)
	}
	m.exec("UPDATE bitrix_oauth SET access_token = refresh_token, refresh_token = 'enc:v1:00'")
	if _, _, err := m.Grant(m.ctx, member); err == nil {
		t.Error("a damaged token was read")
	}
}

func rotationRace(t *testing.T, m *mirror) {
	t.Helper()
	if err := m.SaveGrant(m.ctx, grant("a0", "r0")); err != nil {
		t.Fatal(err)
	}
	replicas := []*repo.DB{m.DB, m.again(repo.Config{SecretKey: bytes.Repeat([]byte{7}, 32)})}
	var wg sync.WaitGroup
	won := make([]bool, 8)
	for i := range won {
		wg.Go(func() {
			next := grant(leads.Secret("a"+two(i)), leads.Secret("r"+two(i)))
			ok, err := replicas[i%2].RotateGrant(m.ctx, "r0", next)
			if err != nil {
				t.Error(err)
			}
			won[i] = ok
		})
	}
	wg.Wait()
	winners := 0
	for i, ok := range won {
		if ok {
			winners++
			wantGrant(m, grant(leads.Secret("a"+two(i)), leads.Secret("r"+two(i))))
		}
	}
	if winners != 1 {
		t.Errorf("%d of 8 have rotated the same pair", winners)
	}
}
