package repotest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func fencing(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	first, err := m.RaiseEpoch(m.ctx, member, "one")
	if err != nil || first != 1 {
		t.Fatalf("first epoch %d, %v", first, err)
	}
	tickets := leads.NewTickets(first)
	m.verdict(leads.Inserted, present(t, tickets.Draw(), 1, "by one"))
	m.verdict(leads.Inserted, present(t, leads.NewTickets(first+1).Draw(), 2, "ahead"))
	second, err := m.again(repo.Config{}).RaiseEpoch(m.ctx, member, "two")
	if err != nil || second != 2 {
		t.Fatalf("second epoch %d, %v", second, err)
	}
	m.drain()
	late := []leads.Snapshot{
		present(t, leads.NewTickets(second).Draw(), 3, "new owner"), present(t, tickets.Draw(), 1, "former owner"),
	}
	if _, err := m.Apply(m.ctx, late); !errors.Is(err, repo.ErrNotOwner) {
		t.Fatalf("late write of a former owner: %v", err)
	}
	if got := m.changes(); got != nil {
		t.Errorf("announced %+v", got)
	}
	if _, ok, _ := m.Row(m.ctx, late[0].Ref); ok || column(m.row(member, 1), "TITLE") != "by one" {
		t.Error("something was written although a ticket was refused")
	}
	elsewhere := present(t, 1, 1, "a portal without owner is in epoch 0")
	elsewhere.MemberID = other
	m.verdict(leads.Inserted, elsewhere)
	if n := m.text("SELECT COUNT(*) FROM leadsync_owners"); n != "1" {
		t.Errorf("%s owners", n)
	}
}

func poison(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	m.exec(m.on(`CREATE TRIGGER poison BEFORE INSERT ON bitrix_leads WHEN NEW.sql_TITLE = 'poison'
		BEGIN SELECT RAISE(ABORT, 'poisonous'); END`,
		"ALTER TABLE bitrix_leads ADD CONSTRAINT ck_poison CHECK (sql_TITLE <> 'poison')"))
	m.exec(m.on(`CREATE TRIGGER mute BEFORE INSERT ON leadsync_outbox WHEN NEW.lead_id = 66
		BEGIN SELECT RAISE(ABORT, 'mute'); END`,
		"ALTER TABLE leadsync_outbox ADD CONSTRAINT ck_mute CHECK (lead_id <> 66)"))
	var snapshots []leads.Snapshot
	for id := int64(1); id <= 100; id++ {
		title := fmt.Sprint("lead ", id)
		if id == 13 || id == 14 || id == 90 {
			title = "poison"
		}
		snapshots = append(snapshots, present(t, 1, id, title))
	}
	var failed []int64
	for _, o := range m.apply(snapshots...) {
		if o.Verdict == leads.Failed {
			if o.Err == nil || o.Revision != 0 {
				t.Errorf("outcome of %s: %+v", o.Ref, o)
			}
			failed = append(failed, o.LeadID)
			continue
		}
		if o.Verdict != leads.Inserted {
			t.Errorf("%s: %s", o.Ref, o.Verdict)
		}
	}
	if diff := cmp.Diff([]int64{13, 14, 66, 90}, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if n, err := m.CountLeads(m.ctx, member); err != nil || n != 96 {
		t.Errorf("%d leads (%v), want 96: a row must not exist without its announcement", n, err)
	}
	if n := len(m.changes()); n != 96 {
		t.Errorf("%d announcements, want 96", n)
	}
	t.Run("invalid snapshots fail alone", func(t *testing.T) { m.with(t, invalid) })
	t.Run("a missing table is not blamed on a lead", func(t *testing.T) { m.with(t, missingTable) })
}

func invalid(m *mirror) {
	tooLarge := present(m.t, 2, 1, "id")
	tooLarge.LeadID = leads.MaxID + 1
	wrongCard := present(m.t, 2, 1, "card of another")
	wrongCard.LeadID = 2
	noMember := present(m.t, 2, 1, "portal")
	noMember.MemberID = "no member"
	broken := present(m.t, 2, 1, "raw")
	broken.Lead.Raw = []byte(`{"ID":`)
	empty := present(m.t, 2, 1, "")
	empty.Lead = leads.Lead{}
	outcomes := m.apply(tooLarge, wrongCard, noMember, broken, empty, present(m.t, 2, 3, "good"))
	for _, o := range outcomes[:5] {
		if o.Verdict != leads.Failed || o.Err == nil {
			m.t.Errorf("%s: %s, %v", o.Ref, o.Verdict, o.Err)
		}
	}
	if o := outcomes[5]; o.Verdict != leads.Updated {
		m.t.Errorf("the good one among them: %s, %v", o.Verdict, o.Err)
	}
}

func missingTable(m *mirror) {
	m.exec("DROP TABLE leadsync_outbox")
	m.exec("DELETE FROM leadsync_migrations WHERE version_id > 0")
	_, err := m.Apply(m.ctx, []leads.Snapshot{present(m.t, 3, 500, "a"), present(m.t, 3, 501, "b")})
	if !errors.Is(err, repo.ErrNotMigrated) {
		m.t.Errorf("apply without outbox: %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), "leadsync migrate") {
		m.t.Errorf("the error does not say what to do: %v", err)
	}
}

func forcing(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	lead := card(t, 1, map[string]any{"TITLE": "true", "NAME": "N", "PHONE": []any{phone("1", "111")}})
	m.verdict(leads.Inserted, seen(1, lead))
	m.exec("UPDATE bitrix_leads SET sql_TITLE = 'by hand' WHERE sql_ID = 1")
	m.exec("UPDATE bitrix_lead_contacts SET sql_VALUE = '222' WHERE sql_LEAD_ID = 1")
	m.drain()
	m.verdict(leads.Unchanged, seen(2, lead))
	forced := seen(3, lead)
	forced.Force, forced.Cause = true, leads.CauseReconcile
	o := m.verdict(leads.Updated, forced)
	if diff := cmp.Diff([]string{"PHONE", "TITLE"}, o.Changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	row := m.row(member, 1)
	if names := row.Differences(&lead); names != nil || row.Revision != 2 {
		t.Errorf("differs in %v at revision %d", names, row.Revision)
	}
	if got := m.changes(); len(got) != 1 || got[0].Cause != leads.CauseReconcile {
		t.Errorf("announced %+v", got)
	}
	forced.Ticket = 4
	m.verdict(leads.Unchanged, forced) // the row is correct by now
	forced.Ticket = 3
	m.verdict(leads.Older, forced)
	fresh := present(t, 1, 2, "no row")
	fresh.Force = true
	m.verdict(leads.Inserted, fresh)
	if n := len(m.changes()); n != 2 {
		t.Errorf("%d announcements, want 2", n)
	}
}
