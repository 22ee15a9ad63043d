package repotest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func phones(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	m.servePortal(member, "one.bitrix24.ru")
	t.Run("a lead is found with all its details", func(t *testing.T) { m.with(t, callerWhole) })
	t.Run("open leads come before closed ones", func(t *testing.T) { m.with(t, callerRanks) })
	t.Run("a lead with the number twice is listed once", func(t *testing.T) { m.with(t, numberTwice) })
	t.Run("several numbers in one value are one contact", func(t *testing.T) { m.with(t, severalInOne) })
	t.Run("numbers removed in the portal vanish", func(t *testing.T) { m.with(t, numberRemoved) })
	t.Run("deleted leads vanish until they are seen again", func(t *testing.T) { m.with(t, callerDeleted) })
	t.Run("internal numbers", func(t *testing.T) { m.with(t, internalNumbers) })
	t.Run("two portals", func(t *testing.T) { m.with(t, callerOfTwoPortals) })
	t.Run("at most the requested number of leads", func(t *testing.T) { m.with(t, callerLimit) })
	t.Run("texts without a number", func(t *testing.T) { m.with(t, noNumbers) })
	t.Run("one card", func(t *testing.T) { m.with(t, oneCard) })
	t.Run("the function takes a number as it is dialled", func(t *testing.T) { m.with(t, functionNormalizes) })
	t.Run("the function reads a number as the lookup does", func(t *testing.T) { m.with(t, functionReadsNumbers) })
	t.Run("the function finds numbers of every country", func(t *testing.T) { m.with(t, functionFindsCountries) })
	t.Run("numbers match in the region's spelling", func(t *testing.T) { m.with(t, callersOfARegion) })
	t.Run("the views agree with the lookup", func(t *testing.T) { m.with(t, viewsAgree) })
	t.Run("numbers are read again for another region", func(t *testing.T) { m.with(t, otherRegion) })
	t.Run("numbers are erased with their portal", func(t *testing.T) { m.with(t, phonesErased) })
}

// servePortal stores a portal, so that leads have the address of their card.
func (m *mirror) servePortal(memberID, domain string) {
	m.t.Helper()
	if err := m.SavePortal(m.ctx, leads.Portal{MemberID: memberID, Domain: domain, State: leads.PortalActive}); err != nil {
		m.t.Fatal(err)
	}
}

// called is a card with numbers; a higher id was created later.
func called(tb testing.TB, id int64, semantic string, numbers ...string) leads.Lead {
	tb.Helper()
	fields := map[string]any{
		"TITLE": "L" + strconv.FormatInt(id, 10), "STATUS_SEMANTIC_ID": semantic,
		"DATE_CREATE": start.Add(time.Duration(id) * time.Minute).Format(time.RFC3339),
	}
	var list []any
	for i, n := range numbers {
		list = append(list, phone(strconv.FormatInt(id*10+int64(i), 10), n))
	}
	if list != nil {
		fields["PHONE"] = list
	}
	return card(tb, id, fields)
}

// callers returns the leads found for a number, as "rank:lead", closed ones in brackets.
func (m *mirror) callers(number string) string {
	m.t.Helper()
	digits, ok := leads.CallerDigits(number, m.PhoneRegion())
	if !ok {
		m.t.Fatalf("%q contains no number", number)
	}
	found, err := m.Callers(m.ctx, digits, 100)
	if err != nil {
		m.t.Fatal(err)
	}
	var list []string
	for _, c := range found {
		text := fmt.Sprintf("%d:%d", c.Rank, c.LeadID)
		if c.MemberID != member {
			text += "@" + c.MemberID[:4]
		}
		if !c.Open {
			text = "(" + text + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func (m *mirror) wantCallers(number, want string) {
	m.t.Helper()
	if got := m.callers(number); got != want {
		m.t.Errorf("%s: found %q, want %q", number, got, want)
	}
}

func callerWhole(m *mirror) {
	lead := card(m.t, 100, map[string]any{
		"TITLE": "Заявка", "NAME": "Иван", "SECOND_NAME": "Иванович", "LAST_NAME": "Петров", "COMPANY_TITLE": "ООО «Ромашка»",
		"ASSIGNED_BY_ID": "7", "STATUS_ID": "IN_PROCESS", "STATUS_SEMANTIC_ID": "P",
		"DATE_CREATE": "2021-05-31T15:10:16+05:00", "DATE_MODIFY": "2021-06-01T15:10:16+05:00",
		"PHONE": []any{phone("1", "8 (343) 345-01-00 доб. 12")},
	})
	m.verdict(leads.Inserted, seen(1, lead))
	found, err := m.Callers(m.ctx, "3433450100", 10)
	if err != nil {
		m.t.Fatal(err)
	}
	want := []leads.Caller{{
		Rank: 1, MemberID: member, LeadID: 100, Title: "Заявка", Name: "Петров Иван Иванович", Company: "ООО «Ромашка»",
		ResponsibleID: "7", StatusID: "IN_PROCESS", Open: true, Digits: "3433450100", E164: "+73433450100", Extension: "12",
		CreatedAt:  time.Date(2021, 5, 31, 10, 10, 16, 0, time.UTC),
		ModifiedAt: time.Date(2021, 6, 1, 10, 10, 16, 0, time.UTC), ReadAt: start.Add(time.Second),
		CardURL: "https://one.bitrix24.ru/crm/lead/details/100/",
	}}
	if diff := cmp.Diff(want, found); diff != "" {
		m.t.Errorf("(-want +got):\n%s", diff)
	}
}

func callerRanks(m *mirror) {
	const number = "8 912 345-01-01"
	m.apply(
		seen(1, called(m.t, 110, "P", number)), seen(1, called(m.t, 111, "S", number)), seen(1, called(m.t, 112, "", number)),
		seen(1, called(m.t, 113, "F", number)), seen(1, called(m.t, 114, "P", "8 912 345-99-99")))
	m.wantCallers("+79123450101", "1:112 2:110 (3:113) (4:111)")
	m.verdict(leads.Updated, seen(2, called(m.t, 112, "F", number)))
	m.wantCallers("+79123450101", "1:110 (2:113) (3:112) (4:111)")
}

func numberTwice(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 120, "P", "8 912 345-01-02 доб. 1", "+7 912 345 01 02 доб. 2", "9123450102")))
	m.wantCallers("9123450102", "1:120")
	if got := m.text("SELECT COUNT(*) FROM leadsync_phones WHERE lead_id = 120"); got != "3" {
		m.t.Errorf("%s numbers are kept", got)
	}
}

func severalInOne(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 130, "P", "8 912 345-01-03, 8 912 345-01-04")))
	m.wantCallers("9123450103", "1:130")
	m.wantCallers("9123450104", "1:130")
	if got := m.text("SELECT COUNT(*) FROM bitrix_lead_contacts WHERE sql_LEAD_ID = 130"); got != "1" {
		m.t.Errorf("%s contacts of one value: reports count them", got)
	}
}

func numberRemoved(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 140, "P", "8 912 345-01-05", "8 912 345-01-06")))
	m.verdict(leads.Updated, seen(2, called(m.t, 140, "P", "8 912 345-01-06")))
	m.wantCallers("9123450105", "")
	m.wantCallers("9123450106", "1:140")
	m.verdict(leads.Updated, seen(3, called(m.t, 140, "P")))
	m.wantCallers("9123450106", "")
}

func callerDeleted(m *mirror) {
	m.apply(seen(1, called(m.t, 150, "P", "8 912 345-01-07")), seen(1, called(m.t, 151, "P", "8 912 345-01-07")))
	m.verdict(leads.Deleted, proven(2, 151))
	m.wantCallers("9123450107", "1:150")
	if got := m.text("SELECT COUNT(*) FROM leadsync_phones WHERE lead_id = 151"); got != "0" {
		m.t.Errorf("%s numbers of a tombstone", got)
	}
	m.verdict(leads.Inserted, seen(3, called(m.t, 151, "P", "8 912 345-01-07")))
	m.wantCallers("9123450107", "1:151 2:150")
	m.exec("UPDATE bitrix_leads SET deleted_at = '2026-11-23T10:00:00.000Z' WHERE sql_ID = 151")
	m.wantCallers("9123450107", "1:150")
}

func internalNumbers(m *mirror) {
	m.apply(seen(1, called(m.t, 160, "P", "4055")), seen(1, called(m.t, 161, "P", "вн. 405")), seen(1, called(m.t, 162, "P", "8 912 345-40-55")))
	m.wantCallers("4055", "1:160")
	m.wantCallers("405", "1:161")
}

func callerOfTwoPortals(m *mirror) {
	const number = "8 912 345-01-08"
	elsewhere := seen(1, called(m.t, 171, "P", number))
	elsewhere.MemberID = other
	same := seen(1, called(m.t, 170, "P", number))
	same.MemberID = other
	m.apply(seen(1, called(m.t, 170, "P", number)), elsewhere, same)
	m.wantCallers(number, "1:171@bbbb 2:170 3:170@bbbb")
	found, err := m.Callers(m.ctx, "9123450108", 1)
	if err != nil || len(found) != 1 || found[0].CardURL != "" {
		m.t.Errorf("%v, %v: the address of a portal that is unknown", found, err)
	}
	m.servePortal(other, "two.bitrix24.ru")
	found, err = m.Callers(m.ctx, "9123450108", 1)
	if err != nil || len(found) != 1 || found[0].CardURL != "https://two.bitrix24.ru/crm/lead/details/171/" {
		m.t.Errorf("%v, %v", found, err)
	}
}

func callerLimit(m *mirror) {
	var many []leads.Snapshot
	for id := int64(1000); id < 1030; id++ {
		many = append(many, seen(1, called(m.t, id, "P", "8 912 345-01-09")))
	}
	m.apply(many...)
	found, err := m.Callers(m.ctx, "9123450109", 3)
	if err != nil || len(found) != 3 || found[0].LeadID != 1029 || found[2].LeadID != 1027 {
		m.t.Errorf("%v, %v", found, err)
	}
}

func noNumbers(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 180, "P", "нет", "0000000000", "📵", "x")))
	if got := m.text("SELECT COUNT(*) FROM leadsync_phones WHERE lead_id = 180"); got != "0" {
		m.t.Errorf("%s numbers", got)
	}
	for _, digits := range []string{"", "0000000000", "' OR 1=1 --", "%"} {
		if found, err := m.Callers(m.ctx, digits, 10); err != nil || len(found) != 0 {
			m.t.Errorf("%q: %v, %v", digits, found, err)
		}
	}
}

func oneCard(m *mirror) {
	lead := called(m.t, 190, "S", "8 912 345-01-10")
	m.verdict(leads.Inserted, seen(1, lead))
	ref := leads.Ref{MemberID: member, LeadID: 190}
	got, ok, err := m.Card(m.ctx, ref)
	if err != nil || !ok {
		m.t.Fatalf("%v, %v", ok, err)
	}
	if diff := cmp.Diff(string(lead.Raw), string(got.Lead)); diff != "" || got.Open || got.Title != "L190" || got.Revision != 1 ||
		!got.DeletedAt.IsZero() || got.CardURL != "https://one.bitrix24.ru/crm/lead/details/190/" {
		m.t.Errorf("%+v\n%s", got, diff)
	}
	m.verdict(leads.Deleted, proven(2, 190))
	if got, ok, err = m.Card(m.ctx, ref); err != nil || !ok || got.DeletedAt.IsZero() {
		m.t.Errorf("a tombstone: %+v, %v, %v", got, ok, err)
	}
	ref.LeadID = 191
	if _, ok, err = m.Card(m.ctx, ref); err != nil || ok {
		m.t.Errorf("no lead: %v, %v", ok, err)
	}
}

func functionNormalizes(m *mirror) {
	if m.Dialect() == "sqlite" {
		m.t.Skip("SQLite has no functions that return tables")
	}
	m.verdict(leads.Inserted, seen(1, called(m.t, 200, "P", "8 912 345-01-11", "101")))
	for _, dialled := range []string{
		"9123450111", "89123450111", "+79123450111", "79123450111", "+7 (912) 345-01-11", "8.912.345.01.11", " 912/345 01 11", "9(123)450-111", "810 7 912 345 01 11",
		"8\u00a0912\u00a03450111", "101", "+101",
	} {
		if got := m.text("SELECT MAX(lead_id) FROM dbo.bitrix_lead_by_phone(@p1)", dialled); got != "200" {
			m.t.Errorf("%q: found %s", dialled, got)
		}
	}
	m.apply(seen(1, called(m.t, 201, "S", "8 912 345-01-11")), seen(1, called(m.t, 202, "P", "8 912 345-01-11")))
	for rank, want := range map[int]string{1: "202", 2: "200", 3: "201"} {
		if got := m.text("SELECT lead_id FROM dbo.bitrix_lead_by_phone(N'+7 (912) 345-01-11') AS c WHERE c.[rank] = @p1", rank); got != want {
			m.t.Errorf("rank %d is lead %s, want %s", rank, got, want)
		}
	}
	for _, dialled := range []string{"", "anonymous", "1", "01", "2345011"} {
		if got := m.text("SELECT COUNT(*) FROM dbo.bitrix_lead_by_phone(@p1)", dialled); got != "0" {
			m.t.Errorf("%q: found %s", dialled, got)
		}
	}
	if got := m.text("SELECT COUNT(*) FROM dbo.bitrix_lead_by_phone(NULL)"); got != "0" {
		m.t.Errorf("NULL: found %s", got)
	}
}

// functionReadsNumbers compares the SQL function with leads.CallerDigits on texts of
// telephone systems and people. docs/callcentre.md lists the differences.
func functionReadsNumbers(m *mirror) {
	if m.Dialect() == "sqlite" {
		m.t.Skip("SQLite has no functions that return tables")
	}
	m.verdict(leads.Inserted, seen(1, called(m.t, 240, "P", "8 912 345-02-40", "8 912 345-02-41", "405", "1975")))
	const number, internal, none = "9123450240", "405", "<null>"
	for _, c := range []struct{ dialled, lookup, function string }{
		{"8 (912) 345-02-40 доб. 12", number, number},
		{"8 (912) 345-02-40 (доб. 12)", number, number},
		{"89123450240доб12", number, number},
		{"+7 912 345 02 40 ext. 12", number, number},
		{"89123450240 x12", number, number},
		{"89123450240#12", number, number},
		{"89123450240*12", number, number},
		{"89123450240,12", number, number},
		{"89123450240,,,12#", number, number},
		{"89123450240, 89123450241", number, number},
		{"8 912 345-02-40; 8 912 345-02-41", number, number},
		{"89123450240|89123450241", number, number},
		{"89123450240 или 89123450241", number, number},
		{"89123450240\n89123450241", number, number},
		{"89123450240 Иван", number, number},
		{"тел. 8 912 345-02-40", number, number},
		{"tel:+79123450240", number, number},
		{"tel:+7-912-345-02-40;ext=12", number, number},
		{"sip:+79123450240@pbx.example.com", number, number},
		{"sip:79123450240@10.0.0.1:5060", number, number},
		{"sip:405@10.0.0.1", internal, internal},
		{"405", internal, internal},
		{"(405)", internal, internal},
		{"вн. 405", internal, internal},
		{"8\u2010912\u2011345\u201302-40", number, number},
		{"8\u00a0912\t345.02.40", number, number},
		{"\u202a+79123450240", number, number},
		{"", none, none},
		{"+", none, none},
		{"() -", none, none},
		{"anonymous", none, none},
		{"номер скрыт", none, none},
		{"²³½", none, none},
		{"12", none, none},
		// Where they differ.
		{"каб. 405, 8 912 345-02-40", number, internal},
		{"89123450240 89123450241", number, none},
		{"+79123450240 +79123450241", number, none},
		{"89123450240/41", number, none},
		{"8 912 345\u201402\u201440", number, none},
		{"ivan1975@example.org", none, "1975"},
		{"４０５", internal, none},
	} {
		lookup := none
		if digits, ok := leads.CallerDigits(c.dialled, "RU"); ok {
			lookup = digits
		}
		if lookup != c.lookup {
			m.t.Errorf("%q: the lookup reads %s, want %s", c.dialled, lookup, c.lookup)
		}
		if got := m.text("SELECT MAX(digits10) FROM dbo.bitrix_lead_by_phone(@p1)", c.dialled); got != c.function {
			m.t.Errorf("%q: the function finds %s, want %s", c.dialled, got, c.function)
		}
	}
}

func viewsAgree(m *mirror) {
	const number = "8 912 345-01-12"
	m.apply(
		seen(1, called(m.t, 210, "P", number, "8 912 345-01-13")), seen(1, called(m.t, 211, "P", number, number+" доб. 1")),
		seen(1, called(m.t, 212, "S", number, "8 912 345-01-14")), seen(1, called(m.t, 213, "P")), seen(1, called(m.t, 214, "F", number)))
	twin := func(id int64) leads.Snapshot {
		return seen(1, card(m.t, id, map[string]any{
			"DATE_CREATE": "2026-01-01T00:00:00Z", "STATUS_SEMANTIC_ID": "P", "PHONE": []any{phone(strconv.FormatInt(id*10, 10), "8 912 345-01-16")},
		}))
	}
	m.apply(twin(217), twin(218), twin(216))
	rows := func(query string) string {
		m.t.Helper()
		found, err := m.raw.QueryContext(m.ctx, query)
		if err != nil {
			m.t.Fatal(err)
		}
		defer found.Close()
		var list []string
		for found.Next() {
			var a, b any
			if err := found.Scan(&a, &b); err != nil {
				m.t.Fatal(err)
			}
			list = append(list, fmt.Sprintf("%v:%v", a, b))
		}
		if err := found.Err(); err != nil {
			m.t.Fatal(err)
		}
		return strings.Join(list, " ")
	}
	for name, c := range map[string]struct{ query, want string }{
		"open leads of a number":     {"SELECT [rank], lead_id FROM bitrix_open_leads WHERE digits10 = '9123450112' ORDER BY [rank]", "1:211 2:210"},
		"open leads":                 {"SELECT [rank], lead_id FROM bitrix_open_leads WHERE lead_id BETWEEN 210 AND 215 ORDER BY lead_id, digits10", "2:210 1:210 1:211 1:213"},
		"a report's lead":            {"SELECT digits10, lead_id FROM bitrix_phone_leads WHERE digits10 = '9123450112'", "9123450112:211"},
		"a report's lead, of twins":  {"SELECT digits10, lead_id FROM bitrix_phone_leads WHERE digits10 = '9123450116'", "9123450116:218"},
		"a report's lead, if closed": {"SELECT is_open, lead_id FROM bitrix_phone_leads WHERE digits10 = '9123450114'", "0:212"},
		"one row for each number": {"SELECT digits10, COUNT(*) FROM bitrix_phone_leads WHERE digits10 IN ('9123450112', '9123450113', '9123450114') " +
			"GROUP BY digits10 ORDER BY digits10", "9123450112:1 9123450113:1 9123450114:1"},
	} {
		if got := rows(c.query); got != c.want {
			m.t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	m.wantCallers(number, "1:211 2:210 (3:214) (4:212)")
	m.wantCallers("9123450116", "1:218 2:217 3:216")
}

func otherRegion(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 220, "P", "8 (029) 123-02-20")))
	e164 := func() string { return m.text("SELECT e164 FROM leadsync_phones WHERE lead_id = 220") }
	if got := e164(); got != "<null>" {
		m.t.Errorf("in Russia it is %s", got)
	}
	for i, c := range []struct {
		region string
		done   bool
		want   string
	}{{"BY", true, "+375291230220"}, {"BY", false, "+375291230220"}, {"RU", true, "<null>"}, {"", false, "<null>"}} {
		tables, err := m.again(repo.Config{PhoneRegion: c.region}).Refill(m.ctx)
		if done := slices.Contains(tables, "leadsync_phones"); err != nil || done != c.done || e164() != c.want {
			m.t.Errorf("%d, %s: %v, %v, %s", i, c.region, tables, err, e164())
		}
	}
	m.wantCallers("80291230220", "1:220")
	m.exec("DELETE FROM leadsync_phones")
	m.exec("DELETE FROM leadsync_settings")
	if _, err := m.Refill(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	m.wantCallers("80291230220", "1:220")
}

func phonesErased(m *mirror) {
	m.verdict(leads.Inserted, seen(1, called(m.t, 230, "P", "8 912 345-01-15")))
	if err := m.ErasePortal(m.ctx, member); err != nil {
		m.t.Fatal(err)
	}
	m.wantCallers("9123450115", "")
	if got := m.text("SELECT COUNT(*) FROM leadsync_phones WHERE member_id = '" + member + "'"); got != "0" {
		m.t.Errorf("%s numbers are left", got)
	}
	m.servePortal(member, "one.bitrix24.ru")
}
