package service

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"leadsync/settings"
)

func TestOwnersOfDataDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("access lists decide there")
	}
	dir := t.TempDir()
	if err := CheckOwner(Config{DataDir: dir}); err != nil {
		t.Errorf("one's own directory: %v", err)
	}
	if err := CheckOwner(Config{DataDir: filepath.Join(dir, "data")}); err != nil {
		t.Errorf("a directory that is not there yet: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.WriteFile(lockFile(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(lockFile(dir), 65534, -1); err != nil {
		t.Fatal(err)
	}
	if err := CheckOwner(Config{DataDir: dir}); err == nil {
		t.Error("root may work in a volume of root in which another user works")
	}
	if err := os.Chown(dir, 65533, -1); err != nil {
		t.Fatal(err)
	}
	if err := CheckServiceOwner(Config{DataDir: dir}, ""); err == nil || !strings.Contains(err.Error(), "and this is ") {
		t.Errorf("root as itself: %v", err)
	}
	if err := CheckServiceOwner(Config{DataDir: dir}, "root"); err == nil || !strings.Contains(err.Error(), "the service runs as root") {
		t.Errorf("a service of root: %v", err)
	}
	if err := CheckServiceOwner(Config{DataDir: dir}, settings.UserName(65533)); err != nil {
		t.Errorf("a service of the owner: %v", err)
	}
	if owner, known := ownerOf(dir); owner != 65533 || !known {
		t.Errorf("the owner is %d, %v", owner, known)
	}
}
