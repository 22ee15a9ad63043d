package repotest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// otherSchema is a schema of SQL Server in which only the test of schemas has tables.
const otherSchema = "crm"

// elsewhere wants no empty tables beside those of a call centre in another schema.
func elsewhere(t *testing.T, server Server) {
	t.Helper()
	m := &mirror{t: t, ctx: t.Context(), url: server.URL(t), clock: leadstest.NewClock(start)}
	m.DB, m.raw = m.again(repo.Config{}), openRaw(t, m.url)
	m.exec("IF SCHEMA_ID(N'" + otherSchema + "') IS NULL EXEC(N'CREATE SCHEMA " + otherSchema + "')")
	m.emptySchema()
	defer m.emptySchema()
	m.exec("CREATE TABLE " + otherSchema + ".bitrix_leads (Id int NULL)")
	if _, err := m.Migrate(m.ctx); !errors.Is(err, repo.ErrNotAdopted) || !strings.Contains(err.Error(), "LEADSYNC_DATABASE_SCHEMA="+otherSchema) {
		t.Errorf("the call centre's tables are in another schema: %v", err)
	}
}

// Schema keeps a mirror in another schema than dbo; only SQL Server has them.
func Schema(t *testing.T, server Server) {
	t.Helper()
	elsewhere(t, server)
	m := open(t, server, repo.Config{}) // dbo has the tables, too, and they must stay empty
	m.exec("IF SCHEMA_ID(N'" + otherSchema + "') IS NULL EXEC(N'CREATE SCHEMA " + otherSchema + "')")
	db := m.again(repo.Config{Schema: otherSchema, SolutionField: "UF_CRM_SOLUTION"})
	m.emptySchema() // of an interrupted run
	t.Cleanup(m.emptySchema)
	if err := db.CheckMigrated(m.ctx); !errors.Is(err, repo.ErrNotMigrated) {
		t.Fatalf("the schema is empty: %v", err)
	}
	if _, err := db.Preflight(m.ctx); err != nil {
		t.Error(err)
	}
	_, err := db.Migrate(m.ctx)
	m.must(err)
	m.must(db.CheckMigrated(m.ctx))
	m.must(db.SavePortal(m.ctx, leads.Portal{MemberID: member, Domain: "my.bitrix24.ru", State: leads.PortalActive}))
	_, err = db.RaiseEpoch(m.ctx, member, "replica")
	m.must(err)
	tickets := leads.NewTickets(1)
	var many []leads.Snapshot
	for id := int64(1); id <= 10; id++ {
		many = append(many, seen(tickets.Draw(), card(t, id, map[string]any{"TITLE": "t", "UF_CRM_SOLUTION": "s", "PHONE": []any{phone("1", "+7 900 000-00-02")}})))
	}
	outcomes, err := db.Apply(m.ctx, many)
	m.must(err)
	for _, o := range outcomes {
		if o.Verdict != leads.Inserted {
			t.Errorf("lead %d: %s, %v", o.LeadID, o.Verdict, o.Err)
		}
	}
	callers, err := db.Callers(m.ctx, "9000000002", 5)
	m.must(err)
	if len(callers) != 5 {
		t.Errorf("%d leads of the number, want 5", len(callers))
	}
	if n := m.text("SELECT COUNT(*) FROM " + otherSchema + ".bitrix_leads"); n != "10" {
		t.Errorf("the schema has %s leads", n)
	}
	if n := m.text("SELECT COUNT(*) FROM dbo.bitrix_leads"); n != "0" {
		t.Errorf("dbo has %s leads", n)
	}
}

// emptySchema drops what a test has made in the other schema.
func (m *mirror) emptySchema() {
	m.execLate("IF OBJECT_ID(N'" + otherSchema + ".bitrix_lead_by_phone') IS NOT NULL DROP FUNCTION " + otherSchema + ".bitrix_lead_by_phone")
	for _, kind := range []string{"VIEW", "TABLE"} { // first what uses the tables
		for _, name := range m.inOtherSchema(kind) {
			m.execLate("DROP " + kind + " " + otherSchema + "." + name)
		}
	}
}

// inOtherSchema are the names of the views or tables there.
func (m *mirror) inOtherSchema(kind string) (names []string) {
	rows, err := m.raw.QueryContext(context.Background(),
		"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = @p1 AND TABLE_TYPE LIKE N'%' + @p2", otherSchema, kind)
	if err != nil {
		m.t.Error(err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			m.t.Error(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		m.t.Error(err)
	}
	return names
}
