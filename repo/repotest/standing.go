package repotest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// standings tests what is stored about a portal besides its address and the installer's
// tokens.
func standings(t *testing.T, server Server) {
	t.Helper()
	for name, test := range map[string]func(*mirror){
		"the application's user has its own tokens":  systemUser,
		"one process at a time uses a refresh token": beginRefresh,
		"a renamed portal keeps its other data":      movedPortal,
		"an application token is learnt once":        learntToken,
		"data stored by owners":                      noted,
		"an erased portal keeps its epoch":           erased,
		"an authorization keeps fields it lacks":     authorized,
		"one of two concurrent portals is accepted":  firstPortal,
		"a state changes only from the given record": stateFrom,
		"a portal's own application":                 application,
	} {
		t.Run(name, func(t *testing.T) { test(open(t, server, repo.Config{})) })
	}
}

func systemUser(m *mirror) {
	m.t.Helper()
	installer, system := grant("a0", "r0"), grant("s0", "q0")
	system.System, system.UserID = true, 512
	for _, g := range []leads.Grant{system, installer} {
		m.must(m.SaveGrant(m.ctx, g))
	}
	m.wantGrants(system, installer)
	wantGrant(m, system)
	next := grant("s1", "q1")
	next.System, next.UserID = true, 512
	if ok, err := m.RotateGrant(m.ctx, "q0", next); !ok || err != nil {
		m.t.Fatalf("rotation: %v, %v", ok, err)
	}
	m.wantGrants(next, installer)
	again := grant("a1", "r1")
	m.must(m.SaveGrant(m.ctx, again))
	m.wantGrants(next, again)
}

func (m *mirror) wantGrants(want ...leads.Grant) {
	m.t.Helper()
	got, err := m.Grants(m.ctx, member)
	m.must(err)
	if len(got) != len(want) {
		m.t.Fatalf("%d grants, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			m.t.Errorf("grant %d: %+v; want %+v", i, got[i], want[i])
		}
	}
}

func (m *mirror) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func beginRefresh(m *mirror) {
	m.t.Helper()
	const life = 15 * time.Second
	pair := grant("a0", "r0")
	m.must(m.SaveGrant(m.ctx, pair))
	begin := func(by string, want bool) {
		m.t.Helper()
		if ok, err := m.BeginRefresh(m.ctx, pair, by, life); ok != want || err != nil {
			m.t.Errorf("%s begins: %v, %v; want %v", by, ok, err, want)
		}
	}
	begin("one", true)
	begin("two", false)
	begin("one", true)
	m.clock.Advance(life + time.Second)
	begin("two", true)
	m.clock.Advance(-time.Hour) // the clock was set back: no wait of an hour
	begin("one", true)
	m.clock.Advance(time.Hour)
	begin("two", true)
	got, _, err := m.Grant(m.ctx, member)
	m.must(err)
	if !got.RefreshBegan.Equal(m.clock.Now()) {
		m.t.Errorf("begun at %s", got.RefreshBegan)
	}
	if ok, err := m.RotateGrant(m.ctx, "r0", grant("a1", "r1")); !ok || err != nil {
		m.t.Fatalf("rotation: %v, %v", ok, err)
	}
	begin("two", false) // the token was used
	wantGrant(m, grant("a1", "r1"))
	pair = grant("a1", "r1")
	begin("one", true)
}

func movedPortal(m *mirror) {
	m.t.Helper()
	was := leads.Portal{
		MemberID: member, Domain: "old.bitrix24.ru", State: leads.PortalActive, ClientEndpoint: "https://old.bitrix24.ru/rest/",
		ServerEndpoint: "https://oauth.bitrix24.tech/rest/", TokenHash: leads.HashToken("t"), UserID: 1, UpdatedAt: start,
	}
	m.must(m.SavePortal(m.ctx, was))
	m.must(m.SaveGrant(m.ctx, grant("a0", "r0")))
	m.must(m.MovePortal(m.ctx, member, "new.bitrix24.ru", "https://new.bitrix24.ru/rest/"))
	was.Domain, was.ClientEndpoint = "new.bitrix24.ru", "https://new.bitrix24.ru/rest/"
	got, _, err := m.Portal(m.ctx, member)
	m.must(err)
	if diff := cmp.Diff(was, got); diff != "" {
		m.t.Errorf("portal (-want +got):\n%s", diff)
	}
	if domain := m.text("SELECT domain FROM bitrix_oauth"); domain != "new.bitrix24.ru" {
		m.t.Errorf("bitrix_oauth has the domain %s", domain)
	}
}

func learntToken(m *mirror) {
	m.t.Helper()
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive}))
	for i, want := range []bool{true, false} {
		ok, err := m.LearnToken(m.ctx, member, leads.HashToken(leads.Secret("t"+two(i))))
		m.must(err)
		if ok != want {
			m.t.Errorf("token %d learnt: %v", i, ok)
		}
	}
	got, _, err := m.Portal(m.ctx, member)
	m.must(err)
	if !got.Recognises(leads.Secret("t" + two(0))) {
		m.t.Error("a later token has replaced the first")
	}
}

func noted(m *mirror) {
	m.t.Helper()
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive}))
	wantStanding := func(want leads.Standing) {
		m.t.Helper()
		got, ok, err := m.Standing(m.ctx, member)
		m.must(err)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			m.t.Errorf("standing (-want +got):\n%s", diff)
		}
	}
	wantStanding(leads.Standing{})
	epoch, err := m.RaiseEpoch(m.ctx, member, "one")
	m.must(err)
	bound := []string{"ONCRMLEADADD https://a.example.com/x", "ONCRMLEADUPDATE https://a.example.com/x"}
	m.must(m.SaveBound(m.ctx, member, bound))
	budget := leads.Budget{At: start, Level: 12.5, Depth: 200, Plan: "enterprise", Share: 0.5, Refusals: 3}
	m.must(m.SaveBudget(m.ctx, member, epoch, budget))
	m.must(m.SaveBudget(m.ctx, member, epoch-1, leads.Budget{Level: 1}))
	want := leads.Standing{Bound: bound, BoundAt: start, Owner: "one", Epoch: epoch, Budget: budget}
	wantStanding(want)
	want.Problem, want.ProblemSince = "the webhook lacks the permission CRM", start
	want.ProblemParts = `[{"part":"passes"}]`
	m.must(m.SaveProblem(m.ctx, member, want))
	m.must(m.SaveProblem(m.ctx, member, leads.Standing{Epoch: epoch - 1}))
	wantStanding(want)
	want.Problem, want.ProblemSince, want.ProblemParts = "", time.Time{}, ""
	m.must(m.SaveProblem(m.ctx, member, leads.Standing{Epoch: epoch, ProblemSince: start}))
	wantStanding(want)
	want.Note = "no leads here"
	m.must(m.SaveNote(m.ctx, member, epoch, want.Note))
	m.must(m.SaveNote(m.ctx, member, epoch-1, ""))
	wantStanding(want)
	want.BeatAt = start
	_, err = m.Beat(m.ctx, member)
	m.must(err)
	wantStanding(want)
	want.Problem, want.ProblemSince, want.ProblemParts = "the tariff has ended", start, `[{"part":"notices"}]`
	m.must(m.SaveProblem(m.ctx, member, want))
	want.Owner, want.Epoch = "two", epoch+1
	_, err = m.RaiseEpoch(m.ctx, member, "two")
	m.must(err)
	wantStanding(want) // the problem did not end with its owner
	if _, ok, err := m.Standing(m.ctx, other); ok || err != nil {
		m.t.Errorf("standing of an unknown portal: %v, %v", ok, err)
	}
}

func erased(m *mirror) {
	m.t.Helper()
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, State: leads.PortalActive}))
		g := grant("a", "r")
		g.MemberID = id
		m.must(m.SaveGrant(m.ctx, g))
		_, err := m.RequestRun(m.ctx, leads.Run{MemberID: id, Mode: leads.RunFull})
		m.must(err)
		m.must(m.RecordFailure(m.ctx, leads.Ref{MemberID: id, LeadID: 7}, "broken", []byte("{}")))
		s := seen(1, card(m.t, 7, map[string]any{"PHONE": []any{phone("1", "+7 900 000-00-01")}}))
		s.MemberID = id
		m.apply(s)
	}
	epoch, err := m.RaiseEpoch(m.ctx, member, "one")
	m.must(err)
	m.must(m.ErasePortal(m.ctx, member))
	for _, table := range []string{
		"bitrix_oauth", "leadsync_portals", "leadsync_runs", "bitrix_import_lead_error", "bitrix_leads",
		"bitrix_lead_contacts", "leadsync_outbox",
	} {
		if left := m.text("SELECT COUNT(*) FROM " + table + " WHERE member_id = '" + member + "'"); left != "0" {
			m.t.Errorf("%s rows in %s", left, table)
		}
		if kept := m.text("SELECT COUNT(*) FROM " + table + " WHERE member_id = '" + other + "'"); kept != "1" {
			m.t.Errorf("%s rows of the other portal in %s", kept, table)
		}
	}
	again, err := m.RaiseEpoch(m.ctx, member, "two")
	m.must(err)
	if again != epoch+1 {
		m.t.Errorf("epoch %d after %d: a former owner could write", again, epoch)
	}
}
