package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/microsoft/go-mssqldb/msdsn"

	"leadsync/leads"
	"leadsync/repo"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	noDatabase := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(noDatabase, []byte(strings.Repeat("these are notes ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url string
		key       []byte
		want      []string
	}{
		{"no scheme", "leads.db", nil, []string{"sqlite:<path>", "sqlserver://"}},
		{"unknown scheme", "postgres://u:hunter2@h/db", nil, []string{"postgres", "sqlite:<path>"}},
		{"no path", "sqlite:", nil, []string{"path"}},
		{"memory", "sqlite::memory:", nil, []string{"path"}},
		{"missing folder", "sqlite:" + filepath.Join(t.TempDir(), "no", "such", "folder.db"), nil, []string{"folder.db", "create its folder"}},
		{"no database file", "sqlite:" + noDatabase, nil, []string{"notes.txt", "not a SQLite file"}},
		{"no database name", "sqlserver://u:hunter2@h:1433", nil, []string{"database", "?database=name"}},
		{"unreadable", "sqlserver://u:hunter2%zz@h:1433?database=x", nil, []string{"%-encoded"}},
		{"a password with a #", "sqlserver://u:12#hunter2@h:1433?database=x", nil, []string{"%23"}},
		{"a password with a slash behind digits", "sqlserver://u:12/hunter2@h:1433?database=x", nil, []string{"%2F"}},
		{"a password with a ? behind digits", "sqlserver://u:12?hunter2@h:1433?database=x", nil, []string{"database"}},
		{"a database with a #", "sqlserver://u:hunter2@h:1433?database=crm#1", nil, []string{"%23"}},
		{"a database with a %", "sqlserver://u:hunter2@h:1433?database=100%", nil, []string{"%25"}},
		{"a parameter behind a ;", "sqlserver://u:hunter2@h:1433?database=x&encrypt=strict;TrustServerCertificate=true", nil, []string{"%3B"}},
		{"a parameter with a %", "sqlserver://u:hunter2@h:1433?database=x&certificate=C:%\\ca.pem", nil, []string{"%25"}},
		{"a backslash before the instance", "sqlserver://u:hunter2@h\\SQLEXPRESS?database=x", nil, []string{"host/instance"}},
		{"connection refused", "sqlserver://u:hunter2@" + closed + "?database=oktell&dial+timeout=5", nil, []string{closed, "oktell", "host and port"}},
		{"short key", "sqlite:x", []byte("short"), []string{"32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := repo.Open(t.Context(), repo.Config{URL: c.url, SecretKey: c.key})
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), db.Close()))
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q shows the password", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than a line", err)
			}
			if c.name == "connection refused" && !errors.Is(err, repo.ErrUnavailable) {
				t.Errorf("%q is not ErrUnavailable", err)
			}
		})
	}
}

func TestSQLServerIsReachedOverTLS(t *testing.T) {
	for _, c := range []struct {
		name, query string
		encryption  msdsn.Encryption
		anybody     bool // accepts any certificate
	}{
		{"defaults", "", msdsn.EncryptionRequired, false},
		{"any certificate, when requested", "&TrustServerCertificate=true", msdsn.EncryptionRequired, true},
		{"in any spelling", "&trustservercertificate=yes&ENCRYPT=mandatory", msdsn.EncryptionRequired, true},
		{"strict", "&encrypt=strict", msdsn.EncryptionStrict, false},
		{"no encryption, when requested", "&Encrypt=disable", msdsn.EncryptionDisabled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn, _, err := repo.SQLServerDSN("sqlserver://u:p@h:1433?database=oktell" + c.query)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := msdsn.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Encryption != c.encryption {
				t.Errorf("encryption %d, want %d", cfg.Encryption, c.encryption)
			}
			if cfg.TLSConfig != nil && (cfg.TLSConfig.InsecureSkipVerify || cfg.TrustServerCertificate) != c.anybody {
				t.Errorf("any certificate is accepted: %v, want %v", !c.anybody, c.anybody)
			}
		})
	}
}

// openMigrated is a new, migrated SQLite mirror in a folder whose name needs escaping in URLs.
func openMigrated(t *testing.T) (db *repo.DB, path string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "папка #1 100%?")
	if runtime.GOOS == "windows" {
		folder = filepath.Join(t.TempDir(), "папка #1 100%")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, "mirror.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, path
}

func sighting(tb testing.TB, id int64, card string) leads.Snapshot {
	tb.Helper()
	lead, err := leads.Parse([]byte(card))
	if err != nil {
		tb.Fatal(err)
	}
	return leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: id}, Ticket: 1, Lead: lead}
}

func TestSQLiteFileIsPrivateAndReadable(t *testing.T) {
	db, path := openMigrated(t)
	if _, err := db.Apply(t.Context(), []leads.Snapshot{sighting(t, 7, `{"ID":"7","TITLE":"Ёж"}`)}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %o, want 600", filepath.Base(path+suffix), mode)
		}
	}
	copied := filepath.Join(t.TempDir(), "seen.db") // another name of the same file
	if err := os.Symlink(path, copied); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	other, err := sql.Open("sqlite", copied)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var title string
	if err := other.QueryRow("SELECT sql_TITLE FROM bitrix_leads WHERE sql_ID = 7").Scan(&title); err != nil || title != "Ёж" {
		t.Errorf("another reader gets the title %q, %v", title, err)
	}
}

func TestEndedContextBlamesNoLead(t *testing.T) {
	db, _ := openMigrated(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcomes, err := db.Apply(ctx, []leads.Snapshot{sighting(t, 7, `{"ID":"7"}`), sighting(t, 8, `{"ID":"8"}`)})
	if !errors.Is(err, context.Canceled) || outcomes != nil {
		t.Errorf("%v, %v; want the context's error and no outcomes", outcomes, err)
	}
}

func TestClosedDatabaseIsUnavailable(t *testing.T) {
	db, _ := openMigrated(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	outcomes, err := db.Apply(t.Context(), []leads.Snapshot{sighting(t, 7, `{"ID":"7"}`)})
	if err == nil {
		t.Errorf("%+v of a closed database", outcomes)
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a closed database answers")
	}
}

// A service must not write to a file that was moved away, nor create an empty one in its
// place.
func TestSQLiteFileIsMovedAway(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "db")
	path := filepath.Join(folder, "mirror.db")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	save := func(member string) error {
		return db.SavePortal(t.Context(), leads.Portal{MemberID: member, Domain: member, State: leads.PortalActive})
	}
	if err := save("a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	if err := save("b"); !errors.Is(err, repo.ErrUnavailable) {
		t.Errorf("written while the file was gone: %v", err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, repo.ErrUnavailable) {
		t.Errorf("ping while the file was gone: %v", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := save("c"); !errors.Is(err, repo.ErrUnavailable) {
		t.Errorf("written while only the folder was there: %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("made in its place: %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(folder), os.Rename(folder+".away", folder)); err != nil {
		t.Fatal(err)
	}
	if err := save("d"); err != nil {
		t.Errorf("it is back: %v", err)
	}
	portals, err := db.Portals(t.Context())
	if err != nil || len(portals) != 2 {
		t.Errorf("%d portals, %v; want those from before and after", len(portals), err)
	}
}
