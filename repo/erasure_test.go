package repo_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

func TestSQLiteErasesAPerson(t *testing.T) { erasesAPerson(t, repotest.SQLite()) }

// erasesAPerson deletes a lead and runs what docs/operations.md says: nothing that can be of a person
// is left in any table.
func erasesAPerson(t *testing.T, server repotest.Server) {
	t.Helper()
	url := server.URL(t)
	db, err := repo.Open(t.Context(), repo.Config{URL: url, HistoryValues: true, SolutionField: "UF_CRM_1"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const person = "Ёжикова"
	ref := leads.Ref{MemberID: "m", LeadID: 17}
	write := func(ticket leads.Ticket, s leads.Snapshot) {
		t.Helper()
		s.Ref, s.Ticket, s.Cause = ref, ticket, leads.CauseEvent
		if _, err := db.Apply(t.Context(), []leads.Snapshot{s}); err != nil {
			t.Fatal(err)
		}
	}
	write(1, leads.Snapshot{Lead: personalLead(t, person)})
	write(2, leads.Snapshot{Lead: personalLead(t, person+" changed")})
	if err := db.RecordFailure(t.Context(), ref, "a reason", personalLead(t, person).Raw); err != nil {
		t.Fatal(err)
	}
	write(3, leads.Snapshot{Sight: leads.Absent, Proven: true})

	driver, dsn, schema := "sqlserver", url, "dbo."
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, dsn, schema = "sqlite", path, ""
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(t.Context(), "DELETE FROM "+schema+"leadsync_outbox"); err != nil { // announced
		t.Fatal(err)
	}
	if len(holding(t, raw, schema, person)) < 10 {
		t.Fatal("there is nothing to erase: the test would prove nothing")
	}
	for _, statement := range blocksOf(t, "operations.md", "sql") {
		statement = strings.ReplaceAll(strings.ReplaceAll(statement, "'MEMBER'", "'m'"), "dbo.", schema)
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s\n%v", statement, err)
		}
	}
	// What these columns hold are codes of the portal.
	codes := []string{
		"bitrix_leads.sql_CURRENCY_ID", "bitrix_leads.sql_HAS_EMAIL", "bitrix_leads.sql_HAS_IMOL", "bitrix_leads.sql_HAS_PHONE",
		"bitrix_leads.sql_IS_MANUAL_OPPORTUNITY", "bitrix_leads.sql_IS_RETURN_CUSTOMER", "bitrix_leads.sql_OPENED", "bitrix_leads.sql_SOURCE_ID",
		"bitrix_leads.sql_STATUS_ID", "bitrix_leads.sql_STATUS_SEMANTIC_ID",
	}
	if diff := cmp.Diff(codes, holding(t, raw, schema, person)); diff != "" {
		t.Errorf("columns that still hold something of the person (-want +got):\n%s", diff)
	}
}

// personalLead has a person's name in each text, a number, a custom field and the solution.
func personalLead(t *testing.T, person string) leads.Lead {
	t.Helper()
	card := map[string]any{
		"ID": "17", "UF_CRM_1": person, "UF_CRM_2": []string{person},
		"EMAIL": []any{map[string]any{"ID": "1", "VALUE": person, "VALUE_TYPE": "WORK", "TYPE_ID": "EMAIL"}},
	}
	for _, f := range leads.Fields {
		if f.Kind == leads.Text {
			card[f.Name] = person
		}
	}
	raw, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	lead, err := leads.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return lead
}

// holding are the columns of all tables that hold a text.
func holding(t *testing.T, raw *sql.DB, schema, text string) (columns []string) {
	t.Helper()
	list := "SELECT m.name FROM sqlite_master AS m WHERE m.type = 'table'"
	if schema != "" {
		list = "SELECT t.name FROM sys.tables AS t"
	}
	for _, name := range textsOf(t, raw, list) {
		if strings.HasPrefix(name, "bitrix_") || strings.HasPrefix(name, "leadsync_") {
			columns = append(columns, columnsHolding(t, raw, schema, name, text)...)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

func columnsHolding(t *testing.T, raw *sql.DB, schema, table, text string) (columns []string) {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), "SELECT * FROM "+schema+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, dest := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			if b, ok := value.([]byte); ok {
				value = string(b)
			}
			if strings.Contains(fmt.Sprint(value), text) {
				columns = append(columns, table+"."+names[i])
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

func textsOf(t *testing.T, raw *sql.DB, query string) (list []string) {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
