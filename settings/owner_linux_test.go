package settings_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"leadsync/settings"
)

// asNobody does something as a user who owns nothing. Its thread ends with it, so no other test is that user.
func asNobody(t *testing.T, do func() string) string {
	t.Helper()
	said := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			said <- errno.Error()
			return
		}
		said <- do()
	}()
	return <-said
}

// Who may not read the settings is told whose they are.
func TestAnUnreadableFileNamesItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away and become another user")
	}
	for _, owner := range []int{1, 54321} {
		path := write(t, "leadsync.env", "LEADSYNC_KEEP=30d")
		if err := errors.Join(os.Chown(path, owner, -1), os.Chmod(filepath.Dir(path), 0o755), os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)); err != nil {
			t.Fatal(err)
		}
		text := asNobody(t, func() string {
			_, err := settings.Read(settings.Sources{File: path})
			return fmt.Sprint(err)
		})
		if !strings.Contains(text, path+": cannot be read (permission denied), want one that this user may read: "+settings.RunAs(owner)) {
			t.Error(text)
		}
	}
}
