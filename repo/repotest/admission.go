package repotest

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// portal returns the stored record of member.
func (m *mirror) portal() leads.Portal {
	m.t.Helper()
	p, ok, err := m.Portal(m.ctx, member)
	m.must(err)
	if !ok {
		m.t.Fatal("the portal is unknown")
	}
	return p
}

// An installation, a log-in and the system user's tokens may arrive at the same moment;
// none overwrites what another has stored.
func authorized(m *mirror) {
	m.t.Helper()
	m.must(m.SavePortal(m.ctx, leads.Portal{
		MemberID: member, Domain: "old.bitrix24.ru", State: leads.PortalNeedsAuthorization, TokenHash: leads.HashToken("t0"), UserID: 41,
		ClientID: "local.1", ClientSecret: "its own", UpdatedAt: start,
	}))
	system := grant("s0", "q0")
	system.System, system.UserID = true, 512
	moved := leads.Portal{
		MemberID: member, Domain: "new.bitrix24.ru", State: leads.PortalActive, ClientEndpoint: "https://new.bitrix24.ru/rest/",
		ServerEndpoint: "https://oauth.bitrix24.tech/rest/", UpdatedAt: start.Add(time.Hour),
	}
	if ok, err := m.Authorize(m.ctx, moved, system, true); !ok || err != nil {
		m.t.Fatalf("a known portal: %v, %v", ok, err)
	}
	want := moved
	want.TokenHash, want.UserID, want.ClientID, want.ClientSecret = leads.HashToken("t0"), 41, "local.1", "its own"
	if got := m.portal(); got != want {
		m.t.Errorf("portal %+v; want %+v", got, want)
	}
	moved.TokenHash, moved.UserID = leads.HashToken("t1"), 7
	installer := grant("a1", "r1")
	if ok, err := m.Authorize(m.ctx, moved, installer, true); !ok || err != nil {
		m.t.Fatalf("again: %v, %v", ok, err)
	}
	if got := m.portal(); !got.Recognises("t1") || got.UserID != 7 {
		m.t.Errorf("portal %+v", got)
	}
	m.wantGrants(system, installer)
	if domain := m.text("SELECT domain FROM bitrix_oauth WHERE user_id = '41'"); domain != "new.bitrix24.ru" {
		m.t.Errorf("bitrix_oauth has the domain %s", domain)
	}
}

// Only the database can decide which portal was first.
func firstPortal(m *mirror) {
	m.t.Helper()
	replicas := []*repo.DB{m.DB, m.again(repo.Config{SecretKey: bytes.Repeat([]byte{7}, 32)})}
	var wg sync.WaitGroup
	admitted := make([]bool, 6)
	ids := make([]string, len(admitted))
	for i := range ids {
		ids[i] = "portal" + strconv.Itoa(i)
		wg.Go(func() {
			g := grant("a", leads.Secret("r"+two(i)))
			g.MemberID = ids[i]
			ok, err := replicas[i%2].Authorize(m.ctx, leads.Portal{MemberID: ids[i], State: leads.PortalActive}, g, true)
			if err != nil {
				m.t.Error(err)
			}
			admitted[i] = ok
		})
	}
	wg.Wait()
	in := 0
	for i, ok := range admitted {
		grants, err := replicas[i%2].Grants(m.ctx, ids[i])
		m.must(err)
		if (len(grants) > 0) != ok {
			m.t.Errorf("portal %d: accepted %v, %d pairs of tokens", i, ok, len(grants))
		}
		if ok {
			in++
		}
	}
	if in != 1 {
		m.t.Errorf("%d of %d first portals were accepted", in, len(admitted))
	}
	g := grant("a", "r")
	g.MemberID = other
	if ok, err := m.Authorize(m.ctx, leads.Portal{MemberID: other, State: leads.PortalActive}, g, false); !ok || err != nil {
		m.t.Errorf("a listed portal: %v, %v", ok, err)
	}
}

func stateFrom(m *mirror) {
	m.t.Helper()
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive, UpdatedAt: start.Add(123 * time.Millisecond)}))
	seen := m.portal()
	m.clock.Advance(time.Hour)
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive})) // a second authorization
	if ok, err := m.SetPortalStateFrom(m.ctx, seen, leads.PortalNeedsAuthorization); ok || err != nil {
		m.t.Errorf("from an old record: %v, %v", ok, err)
	}
	if got := m.portal(); got.State != leads.PortalActive {
		m.t.Errorf("state %s: an authorization was undone", got.State)
	}
	seen = m.portal()
	for _, first := range []bool{true, false} { // at the same instant, and to the same state
		if ok, err := m.SetPortalStateFrom(m.ctx, seen, leads.PortalActive); ok != first || err != nil {
			m.t.Errorf("two who have read the same record: %v, %v; want %v", ok, err, first)
		}
	}
	if ok, err := m.SetPortalStateFrom(m.ctx, m.portal(), leads.PortalNeedsAuthorization); !ok || err != nil {
		m.t.Errorf("from the present one: %v, %v", ok, err)
	}
	if got := m.portal(); got.State != leads.PortalNeedsAuthorization {
		m.t.Errorf("state %s", got.State)
	}
}

func application(m *mirror) {
	m.t.Helper()
	if err := m.SetApplication(m.ctx, member, "local.1", "secret"); err == nil {
		m.t.Error("an unknown portal has an application")
	}
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive}))
	for _, pair := range []struct {
		id     string
		secret leads.Secret
	}{{"local.1", "secret"}, {"", ""}} {
		m.must(m.SetApplication(m.ctx, member, pair.id, pair.secret))
		if got := m.portal(); got.ClientID != pair.id || got.ClientSecret != pair.secret {
			m.t.Errorf("application %s", got.ClientID)
		}
	}
}
