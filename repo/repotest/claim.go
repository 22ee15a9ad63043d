package repotest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func claiming(t *testing.T, server Server) {
	t.Helper()
	t.Run("the first portal gets the rows", func(t *testing.T) { adoptFirst(t, server) })
	t.Run("the portal in bitrix_oauth gets the rows", func(t *testing.T) { adoptNamed(t, server) })
	t.Run("one of two concurrent portals gets the rows", func(t *testing.T) { adoptRace(t, server) })
	t.Run("rows that are there meet", func(t *testing.T) { claimMeets(t, server) })
	t.Run("a person decides between portals", func(t *testing.T) { claimDecided(t, server) })
	t.Run("a person overrules a claim", func(t *testing.T) { claimOverruled(t, server) })
	t.Run("a claim that is cut continues", func(t *testing.T) { claimCut(t, server) })
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

// newClaim is an adopted database beside a portal that leadsync has read already: leads 1 to 20
// as the portal has them, and leads 1001 to 1010 that only the portal has.
func newClaim(t *testing.T, server Server, size int) *mirror {
	t.Helper()
	m := oktell(t, server, size).adopted()
	m.exec("UPDATE bitrix_oauth SET member_id = '" + other + "'") // so that nothing is claimed by itself
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id[:4] + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: start}))
	}
	m.raise(member)
	tickets := leads.NewTickets(1)
	var read []leads.Snapshot
	for _, from := range []int64{1, int64(size) + 1000} {
		for id := from; id < from+20; id++ {
			read = append(read, seen(tickets.Draw(), card(t, id, map[string]any{"TITLE": "as the portal has it", "PHONE": []any{phone("77", "+7 343 1")}})))
		}
	}
	m.apply(read...)
	return m
}

// claimMeets wants a claim to keep the newest read of each lead and to lose no row.
func claimMeets(t *testing.T, server Server) {
	t.Helper()
	const size = 300
	m := newClaim(t, server, size)
	leadsAndDuplicates := func() string {
		return m.text("SELECT (SELECT COUNT(*) FROM bitrix_leads) + (SELECT COUNT(*) FROM leadsync_duplicate_leads)")
	}
	total := leadsAndDuplicates()
	if left, err := m.Unclaimed(m.ctx); err != nil || left != size {
		t.Fatalf("%d leads wait (%v), want %d: nothing may be claimed by itself", left, err, size)
	}
	m.must(m.SaveMirrorStatus(m.ctx, 1, leads.MirrorStatus{MemberID: member, State: leads.MirrorCurrent, Since: start}, time.Time{}))
	m.beatNow(member)
	statuses, err := m.MirrorStatuses(m.ctx)
	m.must(err)
	if !strings.Contains(statuses[0].Reason, "belong to no portal") || statuses[0].State != leads.MirrorCurrent {
		t.Errorf("status %+v does not say that rows wait", statuses[0])
	}
	// a lead of the portal that was never read meets one that was modified later
	m.exec("INSERT INTO bitrix_leads (sql_ID, sql_TITLE, sql_DATE_MODIFY, member_id, read_ticket, revision) VALUES (30, 'older', '2001-01-01T00:00:00', '" + member + "', 0, 0)")
	m.exec("UPDATE bitrix_leads SET sql_DATE_MODIFY = '2002-01-01T00:00:00' WHERE sql_ID = 30 AND member_id = ''")
	done, err := m.Claim(m.ctx, member, nil)
	m.must(err)
	if done.Leads != size-20 || done.Duplicates != 21 {
		t.Errorf("claimed %+v, want %d leads, and 21 rows that moved", done, size-20)
	}
	if m.owned("") != none {
		t.Errorf("rows without a portal: %s", m.owned(""))
	}
	if got := leadsAndDuplicates(); got != strconv.Itoa(1+number(t, total)) {
		t.Errorf("%s rows, were %s and one more", got, total)
	}
	for id := int64(1); id <= 20; id++ {
		if got := column(m.row(member, id), "TITLE"); got != "as the portal has it" {
			t.Errorf("lead %d: %q, want what leadsync has read", id, got)
		}
	}
	if got := column(m.row(member, 30), "TITLE"); got == "older" {
		t.Error("of two rows that were never read, the older one stayed")
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_lead_contacts WHERE sql_LEAD_ID BETWEEN 1 AND 20"); n != "20" {
		t.Errorf("%s contacts of leads that leadsync has read, want those that it read", n)
	}
	if again, err := m.Claim(m.ctx, member, nil); err != nil || again != (repo.Claimed{}) {
		t.Errorf("once more: %+v, %v", again, err)
	}
	statuses, err = m.MirrorStatuses(m.ctx)
	m.must(err)
	if statuses[0].Reason != "" {
		t.Errorf("the status still says %q", statuses[0].Reason)
	}
}

// beatNow notes that the portal is served, by the machine's clock.
func (m *mirror) beatNow(memberID string) {
	m.t.Helper()
	m.clock.Advance(time.Since(m.clock.Now()))
	_, err := m.Beat(m.ctx, memberID)
	m.must(err)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// claimDecided wants nothing to be claimed where a person has to say whose the rows are.
func claimDecided(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).adopted()
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id[:4] + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: start}))
	}
	m.raise(member) // bitrix_oauth names none, and there are two
	m.raise(other)
	if m.owned(member) != none || m.owned(other) != none {
		t.Errorf("claimed by itself: %s and %s", m.owned(member), m.owned(other))
	}
	waiting := m.owned("")
	ctx, cancel := context.WithCancel(m.ctx)
	if _, err := m.Claim(ctx, other, func(repo.Progress) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut: %v", err)
	}
	m.raise(member) // another portal does not continue it
	if m.owned(member) != none {
		t.Errorf("a portal has %s rows, which another has begun to claim", m.owned(member))
	}
	m.raise(other) // its portal does
	if got := m.owned(other); got != waiting {
		t.Errorf("after a claim that was cut the portal has %s rows, want %s", got, waiting)
	}
}

// claimOverruled has a person name another portal while a claim is under way: that ends, and the
// other gets the rest.
func claimOverruled(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 50).adopted()
	waiting := m.owned("")
	first := true
	_, err := m.Claim(m.ctx, member, func(repo.Progress) {
		if first { // the duplicates have just been claimed
			first = false
			m.must2(m.again(repo.Config{}).Claim(m.ctx, other, nil))
			m.exec("INSERT INTO bitrix_leads (sql_ID, sql_TITLE, member_id, read_ticket, revision) VALUES (77, 'late', '', 0, 0)")
		}
	})
	if !errors.Is(err, repo.ErrClaimed) {
		t.Errorf("the claim that was overruled: %v", err)
	}
	got := strings.Fields(m.owned(other))
	if want := strings.Fields(waiting); !slices.Equal(got[:4], want[:4]) {
		t.Errorf("the other portal has %v rows, want %v but for the duplicates", got, want)
	}
	if n := m.text("SELECT COUNT(*) FROM bitrix_leads WHERE member_id = ''"); n != "1" {
		t.Errorf("%s leads wait, want the one that came late: its portal is not the overruled one", n)
	}
}

// claimCut cuts a claim short, again and again, beside reads of the same leads. The tables
// must be those of a claim that was not cut.
func claimCut(t *testing.T, server Server) {
	t.Helper()
	size := 5_000
	whole := newClaim(t, server, size)
	if _, err := whole.Claim(whole.ctx, member, nil); err != nil {
		t.Fatal(err)
	}
	want := whole.adoptedTables()
	m := newClaim(t, server, size)
	cuts := 0
	for n := range 10 {
		ctx, cancel := context.WithCancel(m.ctx)
		later := time.Duration(n) * 3 * time.Millisecond
		_, err := m.Claim(ctx, member, func(repo.Progress) { time.AfterFunc(later, cancel) })
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cuts++
	}
	if cuts < 3 {
		t.Errorf("%d cuts: the test has proved little", cuts)
	}
	m.must2(m.Claim(m.ctx, member, nil))
	if diff := cmp.Diff(want, m.adoptedTables()); diff != "" {
		t.Errorf("tables (-uncut +cut):\n%.2000s", diff)
	}
	t.Logf("cut %d times", cuts)
}

func (m *mirror) must2(_ any, err error) {
	m.t.Helper()
	m.must(err)
}
