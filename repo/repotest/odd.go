package repotest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// shapes tests cards whose values have odd shapes, and links with tokens.
func shapes(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	t.Run("odd values keep what the row has", func(t *testing.T) { m.with(t, oddValues) })
	t.Run("an odd value of a new lead", func(t *testing.T) { m.with(t, oddNewLead) })
	t.Run("stored cards are cleaned of tokens", func(t *testing.T) { m.with(t, cleaned) })
	t.Run("a read cleans a stored card, too", func(t *testing.T) { m.with(t, cleanedByRead) })
}

func oddValues(m *mirror) {
	m.t.Helper()
	_, err := m.Refill(m.ctx)
	m.must(err)
	good := map[string]any{"TITLE": "t", "PHONE": []any{phone("1", "8 912 345-77-01"), phone("2", "8 912 345-77-02")}, "UF_CRM_A": "a"}
	m.apply(seen(1, card(m.t, 700, good)))
	want := m.row(member, 700)
	good["PHONE"] = "+79123457701"
	odd := card(m.t, 700, good)
	got := m.apply(seen(2, odd), seen(3, odd))
	if got[1].Verdict != leads.Unchanged {
		m.t.Errorf("an odd card: %+v", got)
	}
	forced := seen(4, odd)
	forced.Force = true
	if got := m.apply(forced); got[0].Verdict != leads.Unchanged {
		m.t.Errorf("forced: %+v", got)
	}
	row := m.row(member, 700)
	if diff := row.Differences(&odd); diff != nil {
		m.t.Errorf("a pass finds it stale in %v", diff)
	}
	row.Ticket = want.Ticket
	if diff := cmp.Diff(want, row); diff != "" {
		m.t.Errorf("row (-want +got):\n%s", diff)
	}
	good["TITLE"], good["UF_CRM_A"] = "new", "b"
	if got := m.apply(seen(5, card(m.t, 700, good))); got[0].Verdict != leads.Updated || !cmp.Equal(got[0].Changed, []string{"TITLE", "UF_CRM_A"}) {
		m.t.Errorf("other fields: %+v", got)
	}
	if row = m.row(member, 700); len(row.Contacts) != 2 || len(row.Sides.Phones) != 2 || !slices.Contains(row.Columns, "new") {
		m.t.Errorf("row %+v", row)
	}
	if marks := m.marks("700"); len(marks) != 1 || !strings.Contains(marks[0], "PHONE") {
		m.t.Errorf("marked %v, want once", marks)
	}
	if payload, ok, err := m.FailedPayload(m.ctx, leads.Ref{MemberID: member, LeadID: 700}); !ok || err != nil || !strings.Contains(payload, `"+79123457701"`) {
		m.t.Errorf("what the portal sent: %s, %v", payload, err)
	}
	delete(good, "PHONE")
	if got := m.apply(seen(6, card(m.t, 700, good))); !cmp.Equal(got[0].Changed, []string{"PHONE"}) || len(m.row(member, 700).Contacts) != 0 {
		m.t.Errorf("no numbers any more: %+v", got)
	}
}

func oddNewLead(m *mirror) {
	m.t.Helper()
	lead := card(m.t, 701, map[string]any{"TITLE": "t", "PHONE": 5, "NAME": []any{"n"}})
	if got := m.apply(seen(1, lead)); got[0].Verdict != leads.Inserted {
		m.t.Errorf("inserted: %+v", got)
	}
	row := m.row(member, 701)
	if diff := row.Differences(&lead); diff != nil || len(m.marks("701")) != 2 {
		m.t.Errorf("stale in %v, marked %v", diff, m.marks("701"))
	}
}

const signed = `{"ID":"702","TITLE":"t","COMMENTS":"see /x?auth=SECRET&id=1","UF_CRM_F":{"id":7,"url":"/x?id=1&token=crm|SECRET"},"WEB":[{"ID":"1","VALUE":"/y?sessid=SECRET"}]}`

// asFormerVersion stores a card as a version did that did not clean links.
func (m *mirror) asFormerVersion(id int64) {
	m.t.Helper()
	m.apply(seen(1, card(m.t, id, map[string]any{"TITLE": "t", "COMMENTS": "see /x?id=1", "UF_CRM_F": map[string]any{"id": 7, "url": "/x?id=1"}, "WEB": []any{map[string]any{"ID": "1", "VALUE": "/y"}}})))
	text := strings.ReplaceAll(signed, "702", strconv.FormatInt(id, 10))
	where := " WHERE member_id = '" + member + "' AND sql_ID = " + strconv.FormatInt(id, 10)
	m.exec("UPDATE bitrix_leads SET raw_json = '" + text + "', row_hash = 'v1:0', sql_COMMENTS = 'see /x?auth=SECRET&id=1'" + where)
	m.exec("UPDATE bitrix_lead_contacts SET sql_VALUE = '/y?sessid=SECRET' WHERE member_id = '" + member + "' AND sql_LEAD_ID = " + strconv.FormatInt(id, 10))
	m.exec("DELETE FROM leadsync_outbox")
	m.exec("DELETE FROM leadsync_settings WHERE name = 'card_links'")
}

// wantClean wants no token in the row, and its clean card in the outbox under a new revision.
func (m *mirror) wantClean(id, revision int64) {
	m.t.Helper()
	row := m.row(member, id)
	if text := strings.Join(row.Columns, " ") + string(row.Raw) + row.Contacts[0].Value; strings.Contains(text, "SECRET") || row.Revision != revision {
		m.t.Errorf("revision %d, want %d: %s", row.Revision, revision, text)
	}
	waiting, err := m.Outbox(m.ctx, 10)
	m.must(err)
	if len(waiting) != 1 || waiting[0].Change.Revision != revision || strings.Contains(string(waiting[0].Change.Lead), "SECRET") || len(waiting[0].Change.Lead) == 0 {
		m.t.Errorf("announced %+v", waiting)
	}
}

func cleaned(m *mirror) {
	m.t.Helper()
	m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: member, State: leads.PortalActive}))
	m.asFormerVersion(702)
	ref := leads.Ref{MemberID: member, LeadID: 702}
	if found, ok, err := m.Card(m.ctx, ref); !ok || err != nil || strings.Contains(string(found.Lead), "SECRET") {
		m.t.Errorf("shown before it is cleaned: %s, %v", found.Lead, err)
	}
	m.must(m.RecordFailure(m.ctx, ref, "broken", []byte("{}")))
	m.exec("UPDATE bitrix_import_lead_error SET sql_full_lead_info = '" + signed + "' WHERE sql_error = 'broken'")
	ticket := m.row(member, 702).Ticket
	for range 2 { // the second finds nothing to do
		_, err := m.Refill(m.ctx)
		m.must(err)
		m.wantClean(702, 2)
	}
	if got := m.row(member, 702).Ticket; got != ticket {
		m.t.Errorf("ticket %d, want %d", got, ticket)
	}
	if payload, _, err := m.FailedPayload(m.ctx, ref); err != nil || strings.Contains(payload, "SECRET") || payload == "" {
		m.t.Errorf("payload %s, %v", payload, err)
	}
	lead, err := leads.Parse([]byte(strings.ReplaceAll(signed, "SECRET", "OTHER")))
	m.must(err)
	if got := m.apply(seen(2, lead)); got[0].Verdict != leads.Unchanged {
		m.t.Errorf("signed anew: %+v", got)
	}
}

func cleanedByRead(m *mirror) {
	m.t.Helper()
	m.asFormerVersion(703)
	lead, err := leads.Parse([]byte(strings.ReplaceAll(signed, "702", "703")))
	m.must(err)
	m.apply(seen(2, lead))
	m.wantClean(703, 2)
}
