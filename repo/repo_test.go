package repo_test

import (
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	"leadsync/repo/repotest"
)

func TestSQLite(t *testing.T) {
	repotest.Run(t, repotest.SQLite())
}

// TestSQLServer runs the suite on the server that LEADSYNC_TEST_SQLSERVER_URL names. It
// drops every object of ours there.
func TestSQLServer(t *testing.T) {
	server := sqlServer(t)
	repotest.Run(t, server)
	t.Run("CutConnections", func(t *testing.T) { repotest.CutConnections(t, server) })
}

// sqlServer is the server to test on; without one the test is skipped, or fails where
// LEADSYNC_TEST_REQUIRE=1.
func sqlServer(tb testing.TB) repotest.Server {
	tb.Helper()
	raw := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL")
	if raw == "" {
		if os.Getenv("LEADSYNC_TEST_REQUIRE") == "1" {
			tb.Fatal("LEADSYNC_TEST_SQLSERVER_URL is not set, and LEADSYNC_TEST_REQUIRE=1 wants it to be")
		}
		tb.Skip("no SQL Server to test on: LEADSYNC_TEST_SQLSERVER_URL is not set (sqlserver://user:password@host:1433?database=leadsync_test)")
	}
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal("LEADSYNC_TEST_SQLSERVER_URL cannot be read")
	}
	if name := u.Query().Get("database"); !strings.HasPrefix(name, "leadsync_test") {
		tb.Fatalf("database %q is not named leadsync_test…: this test drops tables", name)
	}
	return repotest.Server{URL: func(tb testing.TB) string {
		tb.Helper()
		wipe(tb, raw)
		return raw
	}}
}

// ours are the tables of the migrations, and goose's.
var ours = []string{
	"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution", "bitrix_import_lead_error", "bitrix_lead_runtime",
	"bitrix_oauth", "leadsync_portals", "leadsync_owners", "leadsync_outbox", "leadsync_allowances", "leadsync_incidents", "leadsync_runs", "leadsync_findings",
	"leadsync_migrations",
}

func wipe(tb testing.TB, url string) {
	tb.Helper()
	db, err := sql.Open("sqlserver", url)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, table := range ours {
		if _, err := db.ExecContext(tb.Context(), "IF OBJECT_ID(N'dbo."+table+"', N'U') IS NOT NULL DROP TABLE dbo."+table); err != nil {
			tb.Fatal(err)
		}
	}
}
