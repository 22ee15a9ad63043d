package repotest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

func claiming(t *testing.T, server Server) {
	t.Helper()
	t.Run("the first portal gets the rows", func(t *testing.T) { adoptFirst(t, server) })
	t.Run("the portal in bitrix_oauth gets the rows", func(t *testing.T) { adoptNamed(t, server) })
	t.Run("one of two concurrent portals gets the rows", func(t *testing.T) { adoptRace(t, server) })
}

// owned returns the number of rows of the adopted tables that a portal has.
func (m *mirror) owned(memberID string) string {
	m.t.Helper()
	var counts []string
	for _, table := range []string{
		"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution", "bitrix_import_lead_error", "leadsync_duplicate_leads",
	} {
		counts = append(counts, m.text("SELECT COUNT(*) FROM "+table+" WHERE member_id = '"+memberID+"'"))
	}
	return strings.Join(counts, " ")
}

const none = "0 0 0 0 0"

func (m *mirror) raise(memberID string) {
	m.t.Helper()
	if _, err := m.RaiseEpoch(m.ctx, memberID, "replica"); err != nil {
		m.t.Fatal(err)
	}
}

func adoptFirst(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 100).adopted()
	waiting := m.owned("")
	if strings.Contains(" "+waiting+" ", " 0 ") {
		t.Fatalf("a table has nothing to adopt: %s", waiting)
	}
	if _, ok, err := m.Row(m.ctx, leads.Ref{MemberID: member, LeadID: 1}); ok || err != nil {
		t.Errorf("a row has a portal before there is one (%v)", err)
	}
	m.raise(member)
	m.raise(other)
	m.raise(member)
	if got := m.owned(member); got != waiting {
		t.Errorf("the first portal has %s rows, want %s", got, waiting)
	}
	if m.owned("") != none || m.owned(other) != none {
		t.Errorf("rows without a portal: %s, of the second portal: %s", m.owned(""), m.owned(other))
	}
	if err := m.ErasePortal(m.ctx, member); err != nil {
		t.Fatal(err)
	}
	if got := m.owned(member); got != none {
		t.Errorf("erased, it has %s rows", got)
	}
}

func adoptNamed(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).adopted()
	m.exec("UPDATE bitrix_oauth SET member_id = '" + member + "'")
	waiting := m.owned("")
	m.raise(other)
	if m.owned(other) != none {
		t.Errorf("a portal has %s rows, and bitrix_oauth names another portal", m.owned(other))
	}
	own := present(t, leads.NewTickets(1).Draw(), 1, "of the other portal")
	own.MemberID = other
	m.verdict(leads.Inserted, own)
	if err := m.SaveGrant(m.ctx, leads.Grant{MemberID: member, RefreshToken: "new", AccessToken: "new", ExpiresAt: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	m.raise(other)
	m.raise(member)
	if got := m.owned(member); got != waiting {
		t.Errorf("the portal has %s rows, want %s", got, waiting)
	}
	if got := m.owned(other); got != "1 0 0 0 0" {
		t.Errorf("the other portal has %s rows, want the one of its own", got)
	}
	grants, err := m.Grants(m.ctx, member)
	if err != nil || len(grants) != 1 || grants[0].RefreshToken != "new" {
		t.Errorf("%d grants (%v), want only ours: the call centre's own belong to its application", len(grants), err)
	}
}

func adoptRace(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).adopted()
	waiting := m.owned("")
	members := []string{member, other}
	var wg sync.WaitGroup
	for _, memberID := range members {
		db := m.again(repo.Config{})
		wg.Go(func() {
			if _, err := db.RaiseEpoch(m.ctx, memberID, memberID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := []string{m.owned(member), m.owned(other)}
	slices.Sort(got)
	if got[0] != none || got[1] != waiting {
		t.Errorf("one has %s rows, the other %s; want all %s with one", got[0], got[1], waiting)
	}
}
