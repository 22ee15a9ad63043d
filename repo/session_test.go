package repo_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"leadsync/repo"
)

// hostileSettings are what a server ("user options"), a login or a logon trigger may prescribe,
// each the opposite of what statements rely on.
const hostileSettings = "SET NOCOUNT ON;SET XACT_ABORT OFF;SET IMPLICIT_TRANSACTIONS ON;SET CURSOR_CLOSE_ON_COMMIT ON;" +
	"SET ROWCOUNT 2;SET TEXTSIZE 10;SET ANSI_NULLS OFF;SET ANSI_PADDING OFF;SET ANSI_WARNINGS OFF;SET ARITHABORT OFF;" +
	"SET QUOTED_IDENTIFIER OFF;SET CONCAT_NULL_YIELDS_NULL OFF;SET NUMERIC_ROUNDABORT ON;SET ARITHIGNORE ON;SET ANSI_NULL_DFLT_OFF ON;" +
	"SET LANGUAGE Russian;SET DATEFORMAT dmy;SET LOCK_TIMEOUT 1;SET DEADLOCK_PRIORITY HIGH;SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"

// sessions wants the contract to hold at the log-in and after each reset, whatever was set before.
func sessions(t *testing.T, url string) {
	t.Helper()
	repo.SetHostile(t, hostileSettings)
	t.Run("refused", func(t *testing.T) { sessionsAreRefused(t, url) })
	t.Run("service", func(t *testing.T) { keepsContract(t, repo.SessionPool(t, url, false, 0), "30000") })
	t.Run("migrations", func(t *testing.T) { keepsContract(t, repo.SessionPool(t, url, true, 0), "-1") })
}

// sessionsAreRefused wants a session to fail at once where it cannot do its work.
func sessionsAreRefused(t *testing.T, url string) {
	t.Helper()
	if err := repo.Connect(t, url, "SET NOCOUNT ON;"); !errors.Is(err, repo.ErrUncounted) {
		t.Errorf("a session that counts no rows: %v", err)
	}
	if err := repo.Connect(t, url, "SET LOCK_TIMEOUT nonsense;"); err == nil || !strings.Contains(err.Error(), "mssql: ") {
		t.Errorf("a contract that the server refuses: %v, want the server's words", err)
	}
}

func keepsContract(t *testing.T, pool *sql.DB, lockTimeout string) {
	t.Helper()
	const spoil = hostileSettings + "SET LOCK_TIMEOUT 7;"
	const properties = "SELECT CONCAT(@@LOCK_TIMEOUT, N' ', CONVERT(int, SESSIONPROPERTY(N'ANSI_NULLS')), CONVERT(int, SESSIONPROPERTY(N'ANSI_PADDING'))," +
		" CONVERT(int, SESSIONPROPERTY(N'ANSI_WARNINGS')), CONVERT(int, SESSIONPROPERTY(N'ARITHABORT')), CONVERT(int, SESSIONPROPERTY(N'CONCAT_NULL_YIELDS_NULL'))," +
		" CONVERT(int, SESSIONPROPERTY(N'NUMERIC_ROUNDABORT')), CONVERT(int, SESSIONPROPERTY(N'QUOTED_IDENTIFIER')), N' ', @@LANGUAGE, N' ', @@TRANCOUNT)"
	for _, when := range []string{"after the log-in", "after a reset", "after another"} {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRowContext(t.Context(), properties).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := lockTimeout + " 1111101 us_english 0"; got != want {
			t.Errorf("%s the session has %q, want %q", when, got, want)
		}
		const three = "DECLARE @t TABLE (a nvarchar(60)); INSERT INTO @t VALUES (N'1'), (N'2'), (N'3')"
		result, err := conn.ExecContext(t.Context(), three)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 3 {
			t.Errorf("%s %d rows count, %v; want 3", when, n, err)
		}
		var day string
		if err := conn.QueryRowContext(t.Context(), "SELECT CONVERT(nvarchar(10), CONVERT(date, N'2026/03/04'), 23)").Scan(&day); err != nil || day != "2026-03-04" {
			t.Errorf("%s a date is %s, %v", when, day, err)
		}
		if _, err := conn.ExecContext(t.Context(), spoil); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
