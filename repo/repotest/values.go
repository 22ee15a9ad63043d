package repotest

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func sqlID(id int64) sql.NamedArg { return sql.Named("id", id) }

// every is a card in which each field has a value of its own.
func every(tb testing.TB, id int64) leads.Lead {
	tb.Helper()
	fields := map[string]any{}
	for i, f := range leads.Fields {
		switch f.Kind {
		case leads.DateTime, leads.Date:
			fields[f.Name] = "2021-05-31T15:" + two(i) + ":16+02:00"
		case leads.RefKind, leads.Number:
			fields[f.Name] = "1" + two(i)
		case leads.Text:
			fields[f.Name] = "value of " + f.Name
		}
	}
	return card(tb, id, fields)
}

// two formats i with two digits.
func two(i int) string { return fmt.Sprintf("%02d", i) }

func values(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	lead := every(t, 1)
	m.verdict(leads.Inserted, seen(1, lead))
	m.verdict(leads.Updated, present(t, 2, 1, "nothing else"))
	m.verdict(leads.Updated, seen(3, lead)) // by the statement for updates
	for i, f := range leads.Fields {
		row := m.row(member, 1)
		if row.Columns[i] != f.Column(lead.Values[i]) {
			t.Errorf("%s is %q, want %q", f.Name, row.Columns[i], lead.Values[i])
		}
	}
	if diff := cmp.Diff(lead.Raw, m.row(member, 1).Raw); diff != "" {
		t.Errorf("raw_json (-want +got):\n%s", diff)
	}
	textValues(t, m)
	timeValues(t, m)
	oddCards(t, m)
}

// textValues stores texts that need care.
func textValues(t *testing.T, m *mirror) {
	t.Helper()
	long := strings.Repeat("ж", 64<<10)
	for i, c := range []struct{ name, field, value string }{
		{"cyrillic", "TITLE", "Ёлка, щука; «ёж»"},
		{"emoji", "TITLE", "🙂👩‍👩‍👧‍👦🏴"},
		{"quotes and backslashes", "TITLE", `it's "so" \ %s @id; -- '' \\ \n`},
		{"line breaks and tabs", "SOURCE_DESCRIPTION", "a\r\n\tb\n"},
		{"blanks around", "NAME", "  x  "},
		{"only blanks", "NAME", "   "},
		{"64 KiB of comments", "COMMENTS", long[:64<<10]},
		{"128 KiB of comments", "COMMENTS", long},
		{"an over-long title", "TITLE", strings.Repeat("щ", 5000)},
		{"emoji at the edge of the column", "TITLE", strings.Repeat("a", 3999) + "🙂b"},
		{"a year before datetime", "DATE_CREATE", "0001-01-01T00:00:00+03:00"},
		{"before datetime begins", "BIRTHDATE", "1752-12-31T00:00:00+00:00"},
		{"the first datetime", "BIRTHDATE", "1753-01-01T00:00:00+00:00"},
		{"the last second", "DATE_MODIFY", "9999-12-31T23:59:59-05:00"},
		{"a day without time", "BIRTHDATE", "1980-02-29"},
		{"not a date", "BIRTHDATE", "вчера"},
		{"a date that does not exist", "BIRTHDATE", "2021-02-30T00:00:00+03:00"},
		{"the hour that summer time skips", "DATE_CREATE", "2021-03-28T02:30:00+01:00"},
		{"zero dates", "DATE_CLOSED", "0000-00-00T00:00:00+00:00"},
		{"JSON in a text", "TITLE", `{"a":["b\u0000"]}`},
		{"NUL", "TITLE", "a\x00b"},
		{"byte order mark", "TITLE", "\ufeffx"},
		{"an opportunity that is not a number", "OPPORTUNITY", "1e400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := card(t, int64(100+i), map[string]any{c.field: c.value, "PHONE": []any{phone("1", c.value)}})
			m.with(t, func(m *mirror) { m.roundTrip(lead) })
		})
	}
}

// timeValues stores times around changes of clocks and offsets.
func timeValues(t *testing.T, m *mirror) {
	t.Helper()
	for i, c := range []struct{ name, value, wall, exact string }{
		{"before clocks go forward", "2021-03-28T01:59:59+01:00", "2021-03-28T01:59:59", "2021-03-28T00:59:59"},
		{"after they went", "2021-03-28T03:00:00+02:00", "2021-03-28T03:00:00", "2021-03-28T01:00:00"},
		{"a time that comes twice, in summer", "2021-10-31T02:30:00+02:00", "2021-10-31T02:30:00", "2021-10-31T00:30:00"},
		{"a time that comes twice, in winter", "2021-10-31T02:30:00+01:00", "2021-10-31T02:30:00", "2021-10-31T01:30:00"},
		{"Moscow before 2014", "2014-10-26T01:59:59+04:00", "2014-10-26T01:59:59", "2014-10-25T21:59:59"},
		{"Moscow since then", "2014-10-26T01:00:00+03:00", "2014-10-26T01:00:00", "2014-10-25T22:00:00"},
		{"Kathmandu's quarter of an hour", "2026-01-01T00:00:00+05:45", "2026-01-01T00:00:00", "2025-12-31T18:15:00"},
		{"29 February", "2024-02-29T23:59:59+03:00", "2024-02-29T23:59:59", "2024-02-29T20:59:59"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lead := card(t, int64(300+i), map[string]any{"DATE_CREATE": c.value, "DATE_MODIFY": c.value, "MOVED_TIME": c.value})
			m.with(t, func(m *mirror) { m.times(lead, c.wall, c.exact) })
		})
	}
}

// oddCards stores cards of unusual content or size.
func oddCards(t *testing.T, m *mirror) {
	t.Helper()
	t.Run("invalid UTF-8", func(t *testing.T) {
		lead, err := leads.Parse(json.RawMessage("{\"ID\":\"90\",\"TITLE\":\"a\xffb\",\"UF_CRM_1\":\"c\xfed\"}"))
		if err != nil {
			t.Fatal(err)
		}
		m.with(t, func(m *mirror) { m.roundTrip(lead) })
	})
	t.Run("an empty card", func(t *testing.T) {
		m.with(t, func(m *mirror) { m.roundTrip(card(t, 91, nil)) })
	})
	t.Run("five hundred contacts", func(t *testing.T) {
		var phones []any
		for i := range 500 {
			phones = append(phones, phone(two(i/100)+two(i%100), "+7 "+two(i%100)))
		}
		m.with(t, func(m *mirror) { m.roundTrip(card(t, 92, map[string]any{"PHONE": phones})) })
	})
}

// times wants the portal's wall clock in the datetime columns and the instant in date_create_at
// and date_modify_at.
func (m *mirror) times(lead leads.Lead, wall, exact string) {
	m.t.Helper()
	m.roundTrip(lead)
	row := m.row(member, lead.ID)
	for _, name := range []string{"DATE_CREATE", "DATE_MODIFY", "MOVED_TIME"} {
		if got := column(row, name); got != wall {
			m.t.Errorf("%s is %s, want %s", name, got, wall)
		}
	}
	for _, name := range []string{"date_create_at", "date_modify_at"} {
		got := m.text(m.on("SELECT "+name+" FROM bitrix_leads WHERE sql_ID = @id",
			"SELECT CONVERT(nvarchar(19), CONVERT(datetime2(0), "+name+"), 126) FROM bitrix_leads WHERE sql_ID = @id"), sqlID(lead.ID))
		if strings.Replace(got, " ", "T", 1)[:19] != exact {
			m.t.Errorf("%s is %s, want %s", name, got, exact)
		}
	}
}

// roundTrip wants the mirror to store a card unchanged, and a second read to change nothing.
func (m *mirror) roundTrip(lead leads.Lead) {
	m.t.Helper()
	m.verdict(leads.Inserted, seen(1, lead))
	row := m.row(member, lead.ID)
	if names := row.Differences(&lead); names != nil {
		m.t.Errorf("the row differs in %v", names)
	}
	m.verdict(leads.Unchanged, seen(2, lead))
	if got := m.changes(); len(got) != 1 {
		m.t.Errorf("%d announcements of one card", len(got))
	}
}

func ranges(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	byID := map[int64]leads.Lead{}
	for _, id := range []int64{3, 5, 8, 13, 21} {
		byID[id] = card(t, id, map[string]any{"TITLE": "t", "DATE_CREATE": "2021-05-31T15:10:16+02:00", "PHONE": []any{
			phone("1", "111"), phone("2", "222"),
		}})
		m.apply(seen(1, byID[id]))
	}
	elsewhere := present(t, 1, 8, "elsewhere")
	elsewhere.MemberID = other
	m.apply(elsewhere, proven(2, 13))
	for _, c := range []struct {
		name        string
		after, upTo int64
		limit       int
		want        []int64
	}{
		{"all, tombstones too", 0, leads.MaxID, 10, []int64{3, 5, 8, 13, 21}},
		{"after is exclusive, up to is inclusive", 3, 8, 10, []int64{5, 8}},
		{"the first of more", 3, 21, 2, []int64{5, 8}},
		{"none", 21, leads.MaxID, 10, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := m.Range(t.Context(), member, c.after, c.upTo, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int64
			for i := range rows {
				ids = append(ids, rows[i].LeadID)
				lead := byID[rows[i].LeadID]
				if rows[i].Deleted != (rows[i].LeadID == 13) {
					t.Errorf("row %d: deleted %v", rows[i].LeadID, rows[i].Deleted)
				}
				if names := rows[i].Differences(&lead); names != nil && !rows[i].Deleted {
					t.Errorf("row %d differs in %v", rows[i].LeadID, names)
				}
			}
			if diff := cmp.Diff(c.want, ids); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("edits by hand are found", func(t *testing.T) { m.with(t, func(m *mirror) { handEdits(m, byID) }) })
}

func handEdits(m *mirror, byID map[int64]leads.Lead) {
	m.exec("UPDATE bitrix_leads SET sql_TITLE = 'by hand', sql_DATE_CREATE = '2021-05-31T15:10:17' WHERE sql_ID = 3")
	m.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = 5 AND sql_CONTACT_ID = '2'")
	m.exec("UPDATE bitrix_leads SET sql_TITLE = NULL, raw_json = NULL WHERE sql_ID = 8 AND member_id = '" + member + "'")
	rows, err := m.Range(m.ctx, member, 0, 10, 10)
	if err != nil {
		m.t.Fatal(err)
	}
	got := map[int64][]string{}
	for i := range rows {
		lead := byID[rows[i].LeadID]
		got[rows[i].LeadID] = rows[i].Differences(&lead)
	}
	want := map[int64][]string{3: {"DATE_CREATE", "TITLE"}, 5: {"PHONE"}, 8: {"TITLE", "raw_json"}}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("differences (-want +got):\n%s", diff)
	}
}
