package repotest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func absence(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{Grace: 10 * time.Second})
	t.Run("absent after the grace period is deleted", func(t *testing.T) { m.with(t, grace) })
	t.Run("a proven deletion needs no grace", func(t *testing.T) { m.with(t, provenDeletion) })
	t.Run("a sighting restarts the grace period", func(t *testing.T) { m.with(t, seenBetween) })
	t.Run("a clock set back restarts the grace period", func(t *testing.T) { m.with(t, setBack) })
	t.Run("access denied is not a deletion", func(t *testing.T) { m.with(t, deniedBetween) })
	t.Run("absent without a row leaves no trace", func(t *testing.T) { m.with(t, absentUnknown) })
	t.Run("a tombstone is revived with a new revision", func(t *testing.T) { m.with(t, revived) })
	t.Run("an older read does not revive a tombstone", func(t *testing.T) { m.with(t, notRevived) })
}

func grace(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 200, "a"))
	m.drain()
	if o := m.verdict(leads.Missing, unseen(2, 200, leads.Absent)); o.Revision != 1 || o.Wrote() {
		m.t.Errorf("outcome %+v", o)
	}
	m.missing()
	m.clock.Advance(9 * time.Second)
	m.verdict(leads.Missing, unseen(3, 200, leads.Absent)) // within the grace period: the first absence counts
	m.missing()
	m.clock.Advance(time.Second)
	m.missing(200)
	if n := len(m.changes()); n != 0 {
		m.t.Fatalf("%d announcements before the deletion", n)
	}
	if o := m.verdict(leads.Deleted, unseen(4, 200, leads.Absent)); o.Revision != 2 {
		m.t.Errorf("revision %d, want 2", o.Revision)
	}
	m.missing()
	if row := m.row(member, 200); !row.Deleted || column(row, "TITLE") != "a" {
		m.t.Errorf("tombstone: deleted %v, title %q", row.Deleted, column(row, "TITLE"))
	}
}

func setBack(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 209, "a"))
	m.clock.Advance(time.Hour)
	m.verdict(leads.Missing, unseen(2, 209, leads.Absent))
	m.clock.Advance(-time.Hour)
	m.missing(209) // without waiting for an hour
	m.verdict(leads.Missing, unseen(3, 209, leads.Absent))
	m.missing()
	m.clock.Advance(10 * time.Second)
	m.missing(209)
	m.verdict(leads.Deleted, unseen(4, 209, leads.Absent))
}

// missing wants Missing to return these ids.
func (m *mirror) missing(want ...int64) {
	m.t.Helper()
	got, err := m.Missing(m.ctx, member, 10)
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Fatalf("missing (-want +got):\n%s", diff)
	}
}

func provenDeletion(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 201, map[string]any{"TITLE": "a", "PHONE": []any{phone("1", "111")}})))
	m.drain()
	m.verdict(leads.Deleted, proven(2, 201))
	row := m.row(member, 201)
	if !row.Deleted || row.Revision != 2 || row.Contacts != nil {
		m.t.Errorf("tombstone: deleted %v, revision %d, contacts %v", row.Deleted, row.Revision, row.Contacts)
	}
	got := m.changes()
	if len(got) != 1 || got[0].Kind != leads.RemovedKind || got[0].Lead != nil || got[0].Revision != 2 {
		m.t.Errorf("announced %+v", got)
	}
	if o := m.verdict(leads.Unchanged, proven(3, 201)); o.Revision != 2 {
		m.t.Errorf("deleted twice: %+v", o)
	}
	if n := len(m.changes()); n != 1 {
		m.t.Errorf("%d announcements of one deletion", n)
	}
}

func seenBetween(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 202, "a"))
	m.drain()
	m.verdict(leads.Missing, unseen(2, 202, leads.Absent))
	m.clock.Advance(time.Minute)
	m.verdict(leads.Unchanged, present(m.t, 3, 202, "a"))
	m.missing()
	m.verdict(leads.Missing, unseen(4, 202, leads.Absent))
	if n := len(m.changes()); n != 0 {
		m.t.Errorf("%d announcements of nothing", n)
	}
	m.verdict(leads.Updated, present(m.t, 5, 202, "b"))
	m.clock.Advance(time.Minute)
	m.missing()
}

func deniedBetween(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 203, "a"))
	m.verdict(leads.Unchanged, unseen(2, 203, leads.Denied))
	m.verdict(leads.Missing, unseen(3, 203, leads.Absent))
	m.clock.Advance(time.Minute)
	m.verdict(leads.Unchanged, unseen(4, 203, leads.Denied))
	m.missing()
	m.verdict(leads.Missing, unseen(5, 203, leads.Absent))
	if m.row(member, 203).Deleted {
		m.t.Error("deleted without proof")
	}
}

func absentUnknown(m *mirror) {
	for _, s := range []leads.Snapshot{unseen(1, 204, leads.Absent), proven(2, 204), unseen(3, 204, leads.Denied)} {
		if o := m.verdict(leads.Unchanged, s); o.Revision != 0 {
			m.t.Errorf("revision %d of no row", o.Revision)
		}
	}
	if _, ok, err := m.Row(m.ctx, leads.Ref{MemberID: member, LeadID: 204}); ok || err != nil {
		m.t.Errorf("a row: %v, %v", ok, err)
	}
	if n := len(m.changes()); n != 0 {
		m.t.Errorf("%d announcements", n)
	}
}

func revived(m *mirror) {
	lead := card(m.t, 205, map[string]any{"TITLE": "a", "PHONE": []any{phone("1", "111")}})
	m.verdict(leads.Inserted, seen(1, lead))
	m.verdict(leads.Deleted, proven(2, 205))
	before, err := m.CountLeads(m.ctx, member)
	if err != nil {
		m.t.Fatal(err)
	}
	if o := m.verdict(leads.Inserted, seen(3, lead)); o.Revision != 3 {
		m.t.Errorf("revision %d, want 3", o.Revision)
	}
	row := m.row(member, 205)
	if row.Deleted || row.Differences(&lead) != nil {
		m.t.Errorf("revived row: deleted %v, differs in %v", row.Deleted, row.Differences(&lead))
	}
	after, err := m.CountLeads(m.ctx, member)
	if err != nil || after != before+1 {
		m.t.Errorf("%d leads, then %d (%v): tombstones must not count", before, after, err)
	}
	var kinds []leads.ChangeKind
	for _, c := range m.changes() {
		kinds = append(kinds, c.Kind)
	}
	if diff := cmp.Diff([]leads.ChangeKind{leads.Added, leads.RemovedKind, leads.Added}, kinds); diff != "" {
		m.t.Errorf("announced (-want +got):\n%s", diff)
	}
}

func notRevived(m *mirror) {
	m.verdict(leads.Inserted, present(m.t, 1, 206, "a"))
	m.verdict(leads.Deleted, proven(5, 206))
	m.verdict(leads.Older, present(m.t, 4, 206, "a"))
	m.verdict(leads.Unchanged, unseen(9, 206, leads.Absent))
	m.verdict(leads.Older, present(m.t, 7, 206, "a"))
	if !m.row(member, 206).Deleted {
		m.t.Error("an older read has revived the tombstone")
	}
}
