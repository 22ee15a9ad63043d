package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"testing"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
	"leadsync/repo"
	leadsql "leadsync/sql"
)

// microsoft opens a migrated database on Microsoft's own server. A stand-in for it is
// skipped: it lets lock hints and plans pass without heeding them.
func microsoft(t *testing.T, url string) (*repo.DB, *sql.DB) {
	t.Helper()
	raw, err := sql.Open("sqlserver", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	var babelfish sql.NullString
	if err := raw.QueryRowContext(t.Context(), "SELECT CONVERT(nvarchar(10), SERVERPROPERTY('Babelfish'))").Scan(&babelfish); err != nil {
		t.Fatal(err)
	}
	if babelfish.String == "1" {
		t.Skip("this is Babelfish, which ignores lock hints and has other plans")
	}
	db, err := repo.Open(t.Context(), repo.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, raw
}

// microsoftLocks wants the rows that Apply has looked up to be kept, and the gaps where it
// found none: nobody else inserts such a lead meanwhile.
func microsoftLocks(t *testing.T, url string) {
	t.Helper()
	db, raw := microsoft(t, url)
	if _, err := db.Apply(t.Context(), []leads.Snapshot{sighting(t, 1, `{"ID":"1"}`), sighting(t, 9, `{"ID":"9"}`)}); err != nil {
		t.Fatal(err)
	}
	tx, err := raw.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), leadsql.SQLServer.LeadsLock, sql.Named("member_id", "m"), sql.Named("ids", "[1,5]")); err != nil {
		t.Fatal(err)
	}
	const touch, fill = "UPDATE dbo.bitrix_leads SET revision = 7 WHERE member_id = N'm' AND sql_ID = 1",
		"INSERT INTO dbo.bitrix_leads (member_id, sql_ID, read_ticket, revision) VALUES (N'm', 5, 0, 0)"
	for _, statement := range []string{touch, fill} {
		var e mssql.Error
		if err := impatient(t.Context(), raw, statement); !errors.As(err, &e) || e.Number != 1222 {
			t.Errorf("%s: %v, want it to wait for the lock", statement, err)
		}
	}
	if err := impatient(t.Context(), raw, "UPDATE dbo.bitrix_leads SET revision = 7 WHERE member_id = N'm' AND sql_ID = 9"); err != nil {
		t.Errorf("a lead that was not looked up is locked, too: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := impatient(t.Context(), raw, fill); err != nil {
		t.Errorf("when the transaction is over: %v", err)
	}
}

// impatient gives a statement two seconds to get its locks.
func impatient(ctx context.Context, raw *sql.DB, statement string) error {
	conn, err := raw.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SET LOCK_TIMEOUT 2000"); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, statement)
	return errors.Join(err, ignoring(conn.ExecContext(ctx, "SET LOCK_TIMEOUT -1")))
}

func ignoring(_ sql.Result, err error) error { return err }

// scans finds in a plan which tables are read from one end to the other.
var scans = regexp.MustCompile(`(?s)PhysicalOp="(?:Table Scan|Clustered Index Scan|Index Scan)".*?<Object [^>]*Table="\[(\w+)\]"`)

// microsoftPlans wants what is asked all the time to be found by indexes alone.
func microsoftPlans(t *testing.T, url string) {
	t.Helper()
	db, raw := microsoft(t, url)
	var batch []leads.Snapshot
	for id := int64(1); id <= 5000; id++ {
		batch = append(batch, sighting(t, id, fmt.Sprintf(`{"ID":"%d","PHONE":[{"ID":"%d","VALUE":"+7 900 %07d","TYPE_ID":"PHONE"}]}`, id, id, id)))
	}
	if _, err := db.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	conn, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SET SHOWPLAN_XML ON"); err != nil {
		t.Fatal(err)
	}
	for name, statement := range map[string]string{
		"lookup by phone": "SELECT c.lead_id, c.[rank] FROM dbo.bitrix_lead_by_phone(N'+7 900 0000017') AS c ORDER BY c.[rank]",
		"leads_lock":      "DECLARE @member_id nvarchar(64) = N'm', @ids nvarchar(max) = N'[17,18]';\n" + leadsql.SQLServer.LeadsLock,
		"held_range":      "DECLARE @member_id nvarchar(64) = N'm', @after int = 17, @up_to int = 18, @limit int = 2;\n" + leadsql.SQLServer.HeldRange,
	} {
		var plan string
		if err := conn.QueryRowContext(t.Context(), statement).Scan(&plan); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, hit := range scans.FindAllStringSubmatch(plan, -1) {
			if hit[1] != "leadsync_portals" { // which has a row or two
				t.Errorf("%s scans %s: %s", name, hit[1], plan)
			}
		}
	}
}
