//go:build unix

package repo_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"leadsync/repo"
)

// otherProgram is the variable that names the file whose locks this test's own program looks at as
// another one.
const otherProgram = "LEADSYNC_TEST_LOCKED"

// A database that is opened twice, as an examination does, keeps its locks: without them SQLite of
// another program that closes the file takes itself for the last one, and deletes the log with all that
// was written lately.
func TestOpeningTwiceKeepsTheLocks(t *testing.T) {
	if path := os.Getenv(otherProgram); path != "" {
		wantLocked(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "mirror.db")
	open := func() *repo.DB {
		db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + path})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	service := open()
	defer service.Close()
	if _, err := service.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	examination := open()
	if _, err := examination.Portals(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := examination.Close(); err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	other.Env = append(os.Environ(), otherProgram+"="+path)
	if out, err := other.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// wantLocked wants another process to hold SQLite's shared lock, which every open database in WAL mode
// has. Source: "File Locking And Concurrency", the bytes from PENDING_BYTE on, in SQLite's os.h.
func wantLocked(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: 0x40000000 + 2, Len: 510}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if lock.Type == syscall.F_UNLCK {
		t.Error("nobody holds a lock on the database")
	}
}
