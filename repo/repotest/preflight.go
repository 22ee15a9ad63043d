package repotest

import (
	"strings"
	"testing"

	"leadsync/repo"
)

// preflight finds what would disturb an adoption, in a database that has it.
func preflight(t *testing.T, server Server) {
	t.Helper()
	m := oktell(t, server, 30)
	before := m.conditions()
	for _, c := range before {
		if c.Severity == repo.Stops {
			t.Errorf("the call centre's own tables: %+v", c)
		}
		if strings.Contains(c.Found, "not checked") && m.on("sqlite", "server") == "sqlite" {
			t.Errorf("a check fails: %+v", c)
		}
	}
	m.exec(m.on("CREATE TRIGGER tr_stranger AFTER UPDATE ON bitrix_leads BEGIN SELECT 1; END",
		"CREATE TRIGGER dbo.tr_stranger ON dbo.bitrix_leads AFTER UPDATE AS BEGIN SET NOCOUNT ON; END"))
	want := []string{"warns triggers tr_stranger"}
	m.exec(m.on("ALTER TABLE bitrix_leads ADD COLUMN branch INTEGER AS (sql_ID + 1)", "ALTER TABLE dbo.bitrix_leads ADD branch AS (sql_ID + 1)"))
	if m.Dialect() == "sqlite" || !m.babelfish() { // whose catalogue does not show them
		want = append(want, "tells columns branch is computed")
	}
	m.exec(m.on("ALTER TABLE bitrix_lead_contacts ADD COLUMN must INTEGER NOT NULL DEFAULT 1", "ALTER TABLE dbo.bitrix_lead_contacts ADD must int NOT NULL CONSTRAINT df_must DEFAULT 1"))
	if m.Dialect() == "sqlserver" {
		m.exec("ALTER TABLE dbo.bitrix_leads ALTER COLUMN sql_STATUS_ID nvarchar(50)")
		m.exec("ALTER TABLE dbo.bitrix_lead_solution DROP COLUMN sql_solution")
		m.exec("IF SCHEMA_ID(N'crm') IS NULL EXEC(N'CREATE SCHEMA crm')")
		m.exec("CREATE TABLE crm.bitrix_leads (Id int NULL)")
		t.Cleanup(func() { m.execLate("DROP TABLE crm.bitrix_leads") })
		want = append(want, "warns columns sql_STATUS_ID(50)", "stops columns bitrix_lead_solution has no column sql_solution", "warns schemas schema crm")
	} else {
		m.exec("ALTER TABLE bitrix_lead_solution RENAME COLUMN sql_solution TO solution")
		want = append(want, "stops columns bitrix_lead_solution has no column sql_solution")
	}
	found := m.conditions()
	for _, line := range want {
		words := strings.SplitN(line, " ", 3)
		hit := false
		for _, c := range found {
			hit = hit || string(c.Severity) == words[0] && c.Check == words[1] && strings.Contains(c.Found, words[2])
		}
		if !hit {
			t.Errorf("nothing that %s; found %+v", line, found)
		}
	}
	for _, c := range found {
		if strings.Contains(c.Found, "must") {
			t.Errorf("a column with a default: %+v", c)
		}
	}
	if foreign, err := m.NeedsAdoption(m.ctx); err != nil || !foreign {
		t.Errorf("the check has changed something (%v)", err)
	}
}

func (m *mirror) conditions() []repo.Condition {
	m.t.Helper()
	found, err := m.Preflight(m.ctx)
	m.must(err)
	return found
}
