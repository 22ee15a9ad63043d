package repotest

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// breakers uses a limit of five deletions, unless the share of rows is more.
func breakers(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{Grace: 10 * time.Second, DeleteFloor: 5})
	for i, c := range []struct {
		name string
		test func(*mirror, string)
	}{
		{"delete callbacks of too many leads", manyCallbacks},
		{"a second read of too many leads", manySecondReads},
		{"deletions one after the other", oneByOne},
		{"a share of many rows", aShare},
		{"all rows are counted only where deletions are held back", heldBack},
		{"another portal has its own breaker", otherPortal},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.with(t, func(m *mirror) { c.test(m, "breaker"+strconv.Itoa(i)) })
		})
	}
}

// fill inserts rows 1 to count.
func (m *mirror) fill(memberID string, count int64) {
	m.t.Helper()
	var all []leads.Snapshot
	for id := int64(1); id <= count; id++ {
		s := present(m.t, 1, id, "a")
		s.MemberID = memberID
		all = append(all, s)
	}
	m.apply(all...)
	m.drain()
}

// absences are reads that did not find these leads.
func absences(memberID string, ticket leads.Ticket, proven bool, ids ...int64) []leads.Snapshot {
	var all []leads.Snapshot
	for _, id := range ids {
		s := unseen(ticket, id, leads.Absent)
		s.MemberID, s.Proven = memberID, proven
		all = append(all, s)
	}
	return all
}

func upTo(n int64) []int64 {
	var ids []int64
	for id := int64(1); id <= n; id++ {
		ids = append(ids, id)
	}
	return ids
}

// verdicts wants the same verdict for all snapshots.
func (m *mirror) verdicts(want leads.Verdict, snapshots ...leads.Snapshot) {
	m.t.Helper()
	for _, o := range m.apply(snapshots...) {
		if o.Verdict != want {
			m.t.Fatalf("%s: %s, want %s", o.Ref, o.Verdict, want)
		}
	}
}

func (m *mirror) breaker(memberID string, want leads.Breaker) {
	m.t.Helper()
	got, err := m.Breaker(m.ctx, memberID)
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("breaker (-want +got):\n%s", diff)
	}
}

func manyCallbacks(m *mirror, memberID string) {
	m.fill(memberID, 20)
	m.verdicts(leads.Withheld, absences(memberID, 2, true, upTo(6)...)...)
	if row := m.row(memberID, 1); row.Deleted || row.Revision != 1 {
		m.t.Errorf("deleted %v, revision %d", row.Deleted, row.Revision)
	}
	if n := len(m.changes()); n != 0 {
		m.t.Errorf("%d announcements", n)
	}
	m.breaker(memberID, leads.Breaker{Candidates: 6, Limit: 5})
	m.verdicts(leads.Withheld, absences(memberID, 3, true, 7)...)
	if err := m.AllowDeletions(m.ctx, memberID, 7, m.clock.Now().Add(time.Hour)); err != nil {
		m.t.Fatal(err)
	}
	m.verdicts(leads.Deleted, absences(memberID, 4, true, upTo(7)...)...)
	m.verdicts(leads.Withheld, absences(memberID, 5, true, 8)...)
	m.clock.Advance(2 * time.Hour)
	m.verdicts(leads.Deleted, absences(memberID, 6, true, 8)...)
}

func manySecondReads(m *mirror, memberID string) {
	m.fill(memberID, 20)
	m.verdicts(leads.Missing, absences(memberID, 2, false, upTo(6)...)...)
	m.clock.Advance(time.Minute)
	if ids, err := m.Missing(m.ctx, memberID, 10); err != nil || len(ids) != 0 {
		m.t.Errorf("to be read again: %v, %v", ids, err)
	}
	m.verdicts(leads.Withheld, absences(memberID, 3, false, upTo(6)...)...)
	seen := present(m.t, 4, 6, "a")
	seen.MemberID = memberID
	m.verdicts(leads.Unchanged, seen)
	m.verdicts(leads.Deleted, absences(memberID, 5, false, upTo(5)...)...)
}

func oneByOne(m *mirror, memberID string) {
	m.fill(memberID, 20)
	for id := int64(1); id <= 5; id++ {
		m.verdicts(leads.Deleted, absences(memberID, 2, true, id)...)
	}
	m.verdicts(leads.Withheld, absences(memberID, 2, true, 6)...)
	m.clock.Advance(2 * time.Hour)
	m.verdicts(leads.Deleted, absences(memberID, 3, true, 6)...)
}

func aShare(m *mirror, memberID string) {
	m.fill(memberID, 400)
	m.breaker(memberID, leads.Breaker{Limit: 8})
	m.verdicts(leads.Withheld, absences(memberID, 2, true, upTo(9)...)...)
	m.clock.Advance(time.Hour)
	seen := present(m.t, 3, 9, "a")
	seen.MemberID = memberID
	m.verdicts(leads.Unchanged, seen)
	m.verdicts(leads.Deleted, absences(memberID, 4, true, upTo(8)...)...)
}

func otherPortal(m *mirror, memberID string) {
	m.fill(memberID, 20)
	m.fill("x"+memberID, 20)
	m.verdicts(leads.Withheld, absences(memberID, 2, true, upTo(6)...)...)
	m.verdicts(leads.Deleted, absences("x"+memberID, 2, true, upTo(5)...)...)
}

// heldBack asks for the breaker as loops do.
func heldBack(m *mirror, memberID string) {
	m.fill(memberID, 300)
	for _, c := range []struct {
		absent int64
		limit  int64
		open   bool
	}{{3, 5, false}, {6, 6, false}, {7, 6, true}} {
		m.apply(absences(memberID, 2, false, upTo(c.absent)...)...)
		b, err := m.HeldBack(m.ctx, memberID)
		if err != nil || b.Limit != c.limit || b.Open() != c.open {
			m.t.Errorf("%d absent: %+v, open %v, %v; want a limit of %d", c.absent, b, b.Open(), err, c.limit)
		}
		exact, err := m.Breaker(m.ctx, memberID)
		if err != nil || exact.Limit != 6 || exact.Open() != b.Open() {
			m.t.Errorf("%d absent, exactly: %+v, %v", c.absent, exact, err)
		}
	}
}
