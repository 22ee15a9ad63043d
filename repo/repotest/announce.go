package repotest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// announcing tests what makes rows and topic agree after one of them was lost.
func announcing(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{Grace: 10 * time.Second})
	t.Run("a row behind the topic is raised above it", func(t *testing.T) { m.with(t, raised) })
	t.Run("a row ahead of the topic is left alone", func(t *testing.T) { m.with(t, aheadOfTopic) })
	t.Run("rows are announced as they are now", func(t *testing.T) { m.with(t, reannounced) })
	t.Run("a lead that only the topic has is restored", func(t *testing.T) { m.with(t, restored) })
	t.Run("an existing row is not restored", func(t *testing.T) { m.with(t, notRestored) })
}

func (m *mirror) raiseRevisions(want int, topic ...leads.OnTopic) {
	m.t.Helper()
	if n, err := m.RaiseRevisions(m.ctx, member, topic); err != nil || n != want {
		m.t.Fatalf("%d raised, %v; want %d", n, err, want)
	}
}

func raised(m *mirror) {
	m.apply(present(m.t, 1, 300, "a"), present(m.t, 1, 301, "b"), present(m.t, 1, 302, "c"))
	m.apply(proven(2, 302))
	m.drain()
	m.raiseRevisions(3, leads.OnTopic{LeadID: 302, Revision: 9}, leads.OnTopic{LeadID: 300, Revision: 5, Deleted: true},
		leads.OnTopic{LeadID: 301, Revision: 1, Distinct: true})
	want := []leads.Change{
		change(present(m.t, 1, 300, "a"), leads.Added, 6, "TITLE"),
		change(present(m.t, 1, 301, "b"), leads.Changed, 2, "TITLE"),
		change(proven(1, 302), leads.RemovedKind, 10),
	}
	for i := range want {
		want[i].Cause = leads.CauseReconcile
	}
	if diff := cmp.Diff(want, m.changes()); diff != "" {
		m.t.Errorf("announced (-want +got):\n%s", diff)
	}
	if r := m.row(member, 300); r.Revision != 6 || r.Ticket != 1 || r.Deleted {
		m.t.Errorf("row: revision %d, ticket %d, deleted %v", r.Revision, r.Ticket, r.Deleted)
	}
	if r := m.row(member, 302); r.Revision != 10 || !r.Deleted {
		m.t.Errorf("tombstone: revision %d, deleted %v", r.Revision, r.Deleted)
	}
	if o := m.verdict(leads.Updated, present(m.t, 3, 300, "d")); o.Revision != 7 {
		m.t.Errorf("the next revision is %d", o.Revision)
	}
}

func aheadOfTopic(m *mirror) {
	m.apply(present(m.t, 1, 310, "a"))
	m.apply(present(m.t, 2, 310, "b"))
	m.drain()
	m.raiseRevisions(0, leads.OnTopic{LeadID: 310, Revision: 2}, leads.OnTopic{LeadID: 311, Revision: 7})
	m.raiseRevisions(0, leads.OnTopic{LeadID: 310, Revision: 1, Distinct: true})
	if n := len(m.changes()); n != 0 {
		m.t.Errorf("%d announcements", n)
	}
}

func reannounced(m *mirror) {
	m.apply(present(m.t, 1, 320, "a"), present(m.t, 1, 321, "b"))
	m.apply(present(m.t, 2, 320, "c"), proven(2, 321))
	m.drain()
	n, err := m.Reannounce(m.ctx, member, []int64{321, 320, 999}, m.clock.Now().Add(-time.Hour))
	if err != nil || n != 2 {
		m.t.Fatalf("%d announced, %v", n, err)
	}
	want := []leads.Change{
		change(present(m.t, 2, 320, "c"), leads.Added, 2, "TITLE"), change(proven(1, 321), leads.RemovedKind, 2),
	}
	for i := range want {
		want[i].Cause = leads.CauseReconcile
	}
	if diff := cmp.Diff(want, m.changes()); diff != "" {
		m.t.Errorf("announced (-want +got):\n%s", diff)
	}
	if n, err := m.Reannounce(m.ctx, member, []int64{321}, m.clock.Now().Add(time.Hour)); err != nil || n != 0 {
		m.t.Errorf("a tombstone that is too old: %d announced, %v", n, err)
	}
}

func restored(m *mirror) {
	known := seen(1, card(m.t, 330, map[string]any{"TITLE": "a", "PHONE": []any{phone("1", "+7 900 000-00-01")}}))
	before, err := m.Breaker(m.ctx, member)
	if err != nil {
		m.t.Fatal(err)
	}
	n, err := m.RestoreFromTopic(m.ctx, []leads.Change{
		change(present(m.t, 1, 331, "b"), leads.Changed, 4), change(known, leads.Changed, 7), change(proven(1, 332), leads.RemovedKind, 3),
	})
	if err != nil || n != 2 {
		m.t.Fatalf("%d restored, %v", n, err)
	}
	row := m.row(member, 330)
	if diff := row.Differences(&known.Lead); len(diff) > 0 || row.Revision != 7 || row.Ticket != 0 {
		m.t.Errorf("row: differs in %v, revision %d, ticket %d", diff, row.Revision, row.Ticket)
	}
	if n := len(m.changes()); n != 0 {
		m.t.Errorf("%d announcements of what the topic has", n)
	}
	m.clock.Advance(10 * time.Second)
	m.missing()
	if b, err := m.Breaker(m.ctx, member); err != nil || b.Candidates != before.Candidates {
		m.t.Errorf("%d candidates, before %d, %v: a restored database would open the breaker", b.Candidates, before.Candidates, err)
	}
	m.verdict(leads.Missing, unseen(1, 331, leads.Absent))
	m.clock.Advance(10 * time.Second)
	m.missing(331)
	if o := m.verdict(leads.Deleted, unseen(2, 331, leads.Absent)); o.Revision != 5 {
		m.t.Errorf("deleted as revision %d", o.Revision)
	}
	if o := m.verdict(leads.Unchanged, known); o.Revision != 7 {
		m.t.Errorf("seen again as revision %d", o.Revision)
	}
	m.missing()
}

func notRestored(m *mirror) {
	m.apply(present(m.t, 1, 340, "a"), present(m.t, 1, 341, "b"))
	m.apply(proven(2, 341))
	m.drain()
	n, err := m.RestoreFromTopic(m.ctx, []leads.Change{change(present(m.t, 9, 340, "x"), leads.Changed, 7), change(present(m.t, 9, 341, "x"), leads.Changed, 7)})
	if err != nil || n != 0 {
		m.t.Fatalf("%d restored, %v", n, err)
	}
	if r := m.row(member, 340); column(r, "TITLE") != "a" || r.Revision != 1 {
		m.t.Errorf("row: title %q, revision %d", column(r, "TITLE"), r.Revision)
	}
}
