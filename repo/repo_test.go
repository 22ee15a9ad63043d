package repo_test

import (
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/repo"
	"leadsync/repo/repotest"
)

func TestSQLite(t *testing.T) {
	repotest.Run(t, repotest.SQLite())
}

// TestSQLServer runs the suite on the server of LEADSYNC_TEST_SQLSERVER_URL. It drops all
// objects of leadsync there.
func TestSQLServer(t *testing.T) {
	server := sqlServer(t)
	if os.Getenv("LEADSYNC_TEST_HOSTILE") == "1" {
		repo.SetHostile(t, hostileSettings)
	}
	repotest.Run(t, server)
	t.Run("Schema", func(t *testing.T) { repotest.Schema(t, server) })
	t.Run("Sessions", func(t *testing.T) { sessions(t, server.URL(t)) })
	t.Run("Unfinished", func(t *testing.T) { unfinished(t, server.URL(t)) })
	t.Run("Hostile", func(t *testing.T) {
		repo.SetHostile(t, hostileSettings)
		repotest.RunBriefly(t, server)
	})
	t.Run("Swallowed", func(t *testing.T) { repotest.Swallowed(t, server) })
	t.Run("Troubled", func(t *testing.T) { repotest.Troubled(t, server) })
	t.Run("CutConnections", func(t *testing.T) { repotest.CutConnections(t, server) })
	t.Run("Grants", func(t *testing.T) {
		script, err := os.ReadFile("../deployments/sqlserver/grants.sql")
		if err != nil {
			t.Fatal(err)
		}
		repotest.Grants(t, server, string(script))
	})
	t.Run("FewTexts", func(t *testing.T) { sendsFewTexts(t, server.URL(t)) })
	t.Run("FewRoundTrips", func(t *testing.T) { fewRoundTrips(t, server.URL(t)) })
	t.Run("LeanImports", func(t *testing.T) { importsLean(t, server.URL(t)) })
	t.Run("ChangedMeanwhile", func(t *testing.T) { changedMeanwhile(t, server.URL(t)) })
	t.Run("Narrow", func(t *testing.T) { repotest.Narrow(t, server) })
	t.Run("Stages", func(t *testing.T) { stagesTouchTheirRows(t, server.URL(t)) })
	t.Run("MicrosoftLocks", func(t *testing.T) { microsoftLocks(t, server.URL(t)) })
	t.Run("MicrosoftPlans", func(t *testing.T) { microsoftPlans(t, server.URL(t)) })
	t.Run("Documented", func(t *testing.T) { documented(t, server) })
	t.Run("Erasure", func(t *testing.T) { erasesAPerson(t, server) })
	t.Run("FirstHour", func(t *testing.T) { firstHour(t, server) })
	t.Run("MigrationLock", func(t *testing.T) { migrationLock(t, server.URL(t)) })
}

// migrationLock wants only one session at a time to have the lock.
func migrationLock(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sessions [2]*sql.Conn
	for i := range sessions {
		if sessions[i], err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer sessions[i].Close()
	}
	free := func() bool {
		t.Helper()
		var result mssql.ReturnStatus
		_, err := sessions[1].ExecContext(t.Context(), "sp_getapplock", sql.Named("Resource", "leadsync_migrations"),
			sql.Named("LockMode", "Exclusive"), sql.Named("LockOwner", "Session"), sql.Named("LockTimeout", 0), &result)
		if err != nil {
			t.Fatal(err)
		}
		if result < 0 {
			return false
		}
		if err := repo.MigrationLock.SessionUnlock(t.Context(), sessions[1]); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if !free() {
		t.Fatal("the lock is not free to begin with")
	}
	if err := repo.MigrationLock.SessionLock(t.Context(), sessions[0]); err != nil {
		t.Fatal(err)
	}
	if free() {
		t.Error("two sessions have the lock")
	}
	if err := repo.MigrationLock.SessionUnlock(t.Context(), sessions[0]); err != nil {
		t.Fatal(err)
	}
	if !free() {
		t.Error("the lock was not released")
	}
}

// sqlServer is the server to test on. Without one the test is skipped, or fails if
// LEADSYNC_TEST_REQUIRE=1.
func sqlServer(tb testing.TB) repotest.Server {
	tb.Helper()
	raw := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL")
	if raw == "" {
		if os.Getenv("LEADSYNC_TEST_REQUIRE") == "1" {
			tb.Fatal("LEADSYNC_TEST_SQLSERVER_URL: not set, required by LEADSYNC_TEST_REQUIRE=1")
		}
		tb.Skip("no SQL Server to test on: LEADSYNC_TEST_SQLSERVER_URL is not set (sqlserver://user:password@host:1433?database=leadsync_test)")
	}
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal("LEADSYNC_TEST_SQLSERVER_URL: syntax error, want sqlserver://user:password@host:1433?database=leadsync_test")
	}
	if name := u.Query().Get("database"); !strings.HasPrefix(name, "leadsync_test") {
		tb.Fatalf("LEADSYNC_TEST_SQLSERVER_URL: database %q, want a name that starts with leadsync_test, because the tests drop tables", name)
	}
	alone(tb, raw, u.Query().Get("database"))
	return repotest.Server{URL: func(tb testing.TB) string {
		tb.Helper()
		wipe(tb, raw)
		return raw
	}}
}

// alone waits until no other process tests on the same database and then keeps it locked:
// two of them would drop each other's tables.
func alone(tb testing.TB, url, database string) {
	tb.Helper()
	db, err := sql.Open("sqlserver", url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() }) // releases the lock
	db.SetMaxOpenConns(1)
	var result mssql.ReturnStatus
	_, err = db.ExecContext(tb.Context(), "sp_getapplock", sql.Named("Resource", database),
		sql.Named("LockMode", "Exclusive"), sql.Named("LockOwner", "Session"), sql.Named("LockTimeout", 600_000), &result)
	if err != nil {
		tb.Fatal(err)
	}
	if result < 0 {
		tb.Fatalf("another run has been testing on this database for ten minutes (sp_getapplock: %d)", result)
	}
}

// ours are the tables of the migrations and goose's table.
var ours = []string{
	"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution", "bitrix_import_lead_error", "bitrix_lead_runtime",
	"bitrix_oauth", "leadsync_portals", "leadsync_owners", "leadsync_outbox", "leadsync_changes", "leadsync_runs", "leadsync_findings", "leadsync_callbacks", "leadsync_failures",
	"leadsync_allowances", "leadsync_incidents", "leadsync_lead_fields", "leadsync_field_types", "leadsync_duplicate_leads",
	"leadsync_phones", "leadsync_settings",
	"leadsync_migrations",
}

func wipe(tb testing.TB, url string) {
	tb.Helper()
	db, err := sql.Open("sqlserver", url)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{ // first the objects that use the tables
		"IF OBJECT_ID(N'dbo.bitrix_lead_by_phone') IS NOT NULL DROP FUNCTION dbo.bitrix_lead_by_phone",
		"IF OBJECT_ID(N'dbo.bitrix_open_leads', N'V') IS NOT NULL DROP VIEW dbo.bitrix_open_leads",
		"IF OBJECT_ID(N'dbo.bitrix_phone_leads', N'V') IS NOT NULL DROP VIEW dbo.bitrix_phone_leads",
		"IF OBJECT_ID(N'dbo.bitrix_mirror_status', N'V') IS NOT NULL DROP VIEW dbo.bitrix_mirror_status",
		"IF OBJECT_ID(N'dbo.bitrix_lead_changes', N'V') IS NOT NULL DROP VIEW dbo.bitrix_lead_changes",
	} {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
	for _, table := range ours {
		if _, err := db.ExecContext(tb.Context(), "IF OBJECT_ID(N'dbo."+table+"', N'U') IS NOT NULL DROP TABLE dbo."+table); err != nil {
			tb.Fatal(err)
		}
	}
}
