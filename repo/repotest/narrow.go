package repotest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// narrowTables are tables of the call centre as an administrator may have made them: narrower
// than by its own script, with collations of their own, and without NULL in a column.
var narrowTables = []string{
	`CREATE TABLE dbo.bitrix_leads (
    Id int IDENTITY(1,1) NOT NULL, sql_ID int NOT NULL, sql_TITLE nvarchar(20) COLLATE Cyrillic_General_CS_AS NULL,
    sql_NAME varchar(10) NULL, sql_OPENED nvarchar(10) NOT NULL, sql_STATUS_ID nvarchar(3000) COLLATE Cyrillic_General_CS_AS NULL,
    sql_ADDRESS nvarchar(3000) NULL, sql_ADDRESS_2 nvarchar(3000) NULL, sql_ADDRESS_CITY nvarchar(3000) NULL, sql_ADDRESS_COUNTRY nvarchar(3000) NULL,
    sql_ADDRESS_COUNTRY_CODE nvarchar(3000) NULL, sql_ADDRESS_POSTAL_CODE nvarchar(3000) NULL, sql_ADDRESS_PROVINCE nvarchar(3000) NULL,
    sql_ADDRESS_REGION nvarchar(3000) NULL, sql_ASSIGNED_BY_ID nvarchar(3000) NULL, sql_BIRTHDATE datetime NULL, sql_COMMENTS nvarchar(50) NULL,
    sql_COMPANY_ID nvarchar(3000) NULL, sql_COMPANY_TITLE nvarchar(4000) NULL, sql_CONTACT_ID nvarchar(3000) NULL, sql_CREATED_BY_ID nvarchar(3000) NULL,
    sql_CURRENCY_ID nvarchar(3000) NULL, sql_DATE_CLOSED datetime NULL, sql_DATE_CREATE datetime NULL, sql_DATE_MODIFY datetime NULL,
    sql_LAST_NAME nvarchar(3000) NULL, sql_MODIFY_BY_ID nvarchar(3000) NULL, sql_OPPORTUNITY nvarchar(3000) NULL, sql_ORIGIN_ID nvarchar(3000) NULL,
    sql_ORIGINATOR_ID nvarchar(3000) NULL, sql_POST nvarchar(3000) NULL, sql_SECOND_NAME nvarchar(3000) NULL, sql_SOURCE_DESCRIPTION nvarchar(3000) NULL,
    sql_SOURCE_ID nvarchar(3000) NULL, sql_STATUS_DESCRIPTION nvarchar(3000) NULL, CONSTRAINT pk_bitrix_leads PRIMARY KEY (Id))`,
	`CREATE TABLE dbo.bitrix_lead_contacts (
    Id int IDENTITY(1,1) NOT NULL, sql_LEAD_ID int NULL, sql_CONTACT_ID nvarchar(2000) NULL, sql_VALUE_TYPE nvarchar(2000) NULL,
    sql_VALUE nvarchar(15) COLLATE Cyrillic_General_CS_AS NULL, sql_TYPE_ID nvarchar(2000) NULL, CONSTRAINT pk_bitrix_lead_contacts PRIMARY KEY (Id))`,
	`CREATE TABLE dbo.bitrix_lead_solution (
    Id int IDENTITY(1,1) NOT NULL, sql_LEAD_ID int NULL, sql_solution nvarchar(5) NULL, CONSTRAINT pk_bitrix_lead_solution PRIMARY KEY (Id))`,
	`CREATE TABLE dbo.bitrix_import_lead_error (
    Id int IDENTITY(1,1) NOT NULL, sql_ID nvarchar(2000) COLLATE Cyrillic_General_CS_AS NULL, sql_error nvarchar(2000) COLLATE Cyrillic_General_CS_AS NULL,
    sql_full_lead_info nvarchar(max) NULL, sql_date_error datetime NULL, CONSTRAINT pk_bitrix_import_lead_error PRIMARY KEY (Id))`,
}

// Narrow tests an adopted database whose columns differ from the call centre's script. It
// needs SQL Server: SQLite's columns have no widths.
func Narrow(t *testing.T, server Server) {
	t.Helper()
	m := &mirror{t: t, ctx: t.Context(), url: server.URL(t), clock: leadstest.NewClock(start)}
	m.raw = openRaw(t, m.url)
	for _, statement := range narrowTables {
		m.exec(statement)
	}
	m.DB = m.again(repo.Config{SolutionField: "UF_CRM_A"})
	if _, err := m.Adopt(m.ctx, nil); err != nil {
		t.Fatal(err)
	}
	m.refill(m.DB, "leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution")
	t.Run("values are cut to the columns as they are", func(t *testing.T) { m.with(t, cutToColumns) })
	t.Run("a column becomes narrower while the service runs", func(t *testing.T) { m.with(t, narrowedLater) })
}

// wide is a card that the narrow tables cannot hold.
func (m *mirror) wide(id int64) leads.Lead {
	m.t.Helper()
	return card(m.t, id, map[string]any{
		"TITLE": strings.Repeat("ж", 30), "NAME": strings.Repeat("n", 30), "OPENED": "", "POST": "director",
		"UF_CRM_A": "решение", "EMAIL": []any{map[string]any{"ID": "1", "VALUE_TYPE": "WORK", "VALUE": "somebody@example.org", "TYPE_ID": "EMAIL"}},
	})
}

func cutToColumns(m *mirror) {
	batch := make([]leads.Snapshot, 0, 60) // enough for temporary tables
	for id := int64(100); id < 160; id++ {
		batch = append(batch, seen(2, m.wide(id)))
	}
	m.verdict(leads.Inserted, seen(1, m.wide(1)))
	m.apply(batch...)
	for _, id := range []int64{1, 110} {
		lead := m.wide(id)
		row := m.row(member, id)
		for name, want := range map[string]int{"TITLE": 20, "NAME": 10} {
			if n := len([]rune(column(row, name))); n != want {
				m.t.Errorf("lead %d: %s has %d characters, want %d", id, name, n, want)
			}
		}
		if names := row.Differences(&lead); names != nil {
			m.t.Errorf("lead %d: a pass finds %v", id, names)
		}
		if row.Contacts[0].Value != "somebody@exampl" {
			m.t.Errorf("lead %d: the address is %s", id, row.Contacts[0].Value)
		}
		var marked []string
		for _, name := range []string{"EMAIL", "NAME", "TITLE", "bitrix_lead_solution"} {
			marked = append(marked, "["+name+" does not fit into its column: there it is cut or empty, the whole value is in raw_json]")
		}
		if diff := cmp.Diff(marked, m.marks(strconv.FormatInt(id, 10))); diff != "" {
			m.t.Errorf("lead %d: marks (-want +got):\n%s", id, diff)
		}
	}
	m.verdict(leads.Unchanged, seen(3, m.wide(1)))
	m.verdict(leads.Updated, seen(4, card(m.t, 1, map[string]any{"TITLE": "T", "NAME": strings.Repeat("m", 30)})))
	if got := m.text("SELECT sql_OPENED FROM dbo.bitrix_leads WHERE sql_ID = 1"); got != "" {
		m.t.Errorf("a column without NULL has %q, want an empty text", got)
	}
}

func narrowedLater(m *mirror) {
	m.exec("UPDATE dbo.bitrix_leads SET sql_POST = NULL")
	m.exec("ALTER TABLE dbo.bitrix_leads ALTER COLUMN sql_POST nvarchar(3)")
	m.verdict(leads.Updated, seen(10, card(m.t, 1, map[string]any{"TITLE": "narrower", "POST": "director"})))
	if got := column(m.row(member, 1), "POST"); got != "dir" {
		m.t.Errorf("POST is %q, want dir", got)
	}
}
