package repo_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/repo"
)

// pairs writes the same number twice in one transaction, over and over, and tells the last one that is
// committed.
func pairs(t *testing.T, path string) (last *atomic.Int64, stop func()) {
	t.Helper()
	raw, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("CREATE TABLE pairs (a INTEGER, b INTEGER, filling BLOB); INSERT INTO pairs VALUES (0, 0, zeroblob(2000000))"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	last, done := &atomic.Int64{}, make(chan error, 1)
	go func() {
		for n := int64(1); ; n++ {
			tx, err := raw.BeginTx(ctx, nil)
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE pairs SET a = ?", n)
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE pairs SET b = ?", n)
			}
			if err == nil {
				err = tx.Commit()
			}
			if err != nil {
				done <- err
				return
			}
			last.Store(n)
		}
	}()
	return last, func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
			t.Error(err)
		}
		_ = raw.Close()
	}
}

// A backup is the database at one moment, though others write all the time.
func TestABackupIsOneMoment(t *testing.T) {
	path := migrated(t)
	last, stop := pairs(t, path)
	defer stop()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "made")
	for range 5 {
		for before := last.Load(); last.Load() < before+3; { // they really write meanwhile
			runtime.Gosched()
		}
		committed := last.Load()
		now = now.Add(time.Second)
		done, err := reopened(t, path, func() time.Time { return now }).Backup(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "leadsync-"+now.Format("20060102T150405Z")+".db"); done.File != want {
			t.Errorf("it is called %s, want %s", done.File, want)
		}
		info, err := os.Stat(done.File)
		if err != nil || info.Size() != done.Bytes || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v; want %d bytes, for the owner alone", info, err, done.Bytes)
		}
		raw, err := sql.Open("sqlite", done.File)
		if err != nil {
			t.Fatal(err)
		}
		var a, b int64
		if err := raw.QueryRow("SELECT a, b FROM pairs").Scan(&a, &b); err != nil || a != b || a < committed {
			t.Errorf("%d and %d, %v: want twice the same, at least %d", a, b, err, committed)
		}
		_ = raw.Close()
	}
}

// migrated is a database in a file whose name needs no escaping.
func migrated(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "leadsync.db")
	db := reopened(t, path, time.Now)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return path
}

func reopened(t *testing.T, path string, now func() time.Time) *repo.DB {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// What cannot be completed leaves nothing, and what is there stays.
func TestABackupOverwritesNothing(t *testing.T) {
	_, path := openMigrated(t)
	now := func() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }
	db, dir := reopened(t, path, now), t.TempDir()
	first, err := db.Backup(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.File, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Backup(t.Context(), dir); err == nil {
		t.Error("a second backup of the same second")
	}
	if data, err := os.ReadFile(first.File); err != nil || string(data) != "mine" {
		t.Errorf("%d bytes, %v: the first was overwritten", len(data), err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	other := filepath.Join(dir, "other")
	if _, err := db.Backup(stopped, other); err == nil {
		t.Error("a backup that was stopped")
	}
	for folder, want := range map[string]int{dir: 2, other: 0} { // the first backup, and the folder
		if files, err := os.ReadDir(folder); err != nil || len(files) != want {
			t.Errorf("%v, %v: want %d", files, err, want)
		}
	}
}

// A damaged database makes no backup that only a restore would find to be one.
func TestADamagedDatabaseHasNoBackup(t *testing.T) {
	path := migrated(t)
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	// NULL in a column that is NOT NULL survives the copy, and only reading everything finds it.
	for _, statement := range []string{
		"PRAGMA writable_schema = ON",
		"CREATE TABLE doubtful (a INTEGER); INSERT INTO doubtful VALUES (NULL)",
		"UPDATE sqlite_master SET sql = 'CREATE TABLE doubtful (a INTEGER NOT NULL)' WHERE name = 'doubtful'",
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if done, err := reopened(t, path, time.Now).Backup(t.Context(), dir); err == nil {
		t.Errorf("%+v", done)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestServersHaveTheirOwnBackup(t *testing.T) {
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlserver://u:p@127.0.0.1:1?database=d", Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Backup(t.Context(), t.TempDir()); !errors.Is(err, repo.ErrOwnBackup) {
		t.Error(err)
	}
}
