package service

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// What a killed service has announced leads nobody to a port that may be somebody else's.
func TestAnnouncementsOfAKilledServiceDoNotCount(t *testing.T) {
	cfg := Config{DataDir: t.TempDir()}
	addresses := func() (public, admin string, failed bool) {
		public, err := RunningAddress(cfg)
		admin, errAdmin := RunningAdminAddress(cfg)
		_, errNATS := ConnectSubscriber(Config{DataDir: cfg.DataDir, NATSURL: Embedded})
		return public, admin, err != nil && errAdmin != nil && errNATS != nil
	}
	data, err := openData(t.Context(), cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := data.announce("nats://127.0.0.1:1", "s", "t", "http://127.0.0.1:2", "http://127.0.0.1:3"); err != nil {
		t.Fatal(err)
	}
	if public, admin, _ := addresses(); public != "http://127.0.0.1:2" || admin != "http://127.0.0.1:3" {
		t.Errorf("of the service that runs: %q, %q", public, admin)
	}
	if err := data.lock.Close(); err != nil { // as a kill does
		t.Fatal(err)
	}
	if public, admin, failed := addresses(); public != "" || admin != "" || !failed {
		t.Errorf("of a service that was killed: %q, %q", public, admin)
	}
	again, err := openData(t.Context(), cfg.DataDir) // a command, which announces nothing
	if err != nil {
		t.Fatal(err)
	}
	if public, admin, failed := addresses(); public != "" || admin != "" || !failed {
		t.Errorf("while a command has the directory: %q, %q", public, admin)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// Looking whether a directory is in use stops nobody from using it.
func TestLookersDoNotKeepAServiceFromItsDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	looker := flock.New(lockFile(dir), flock.SetFlag(os.O_RDONLY))
	if ok, err := looker.TryRLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	service := flock.New(lockFile(dir))
	if ok, err := tryLock(service, func() { _ = looker.Close() }); !ok || err != nil {
		t.Errorf("locked: %v, %v", ok, err)
	}
	if !dataInUse(dir) {
		t.Error("a directory in use is free")
	}
	if ok, err := tryLock(flock.New(lockFile(dir)), func() {}); ok || err != nil {
		t.Errorf("locked twice: %v, %v", ok, err)
	}
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	if dataInUse(dir) {
		t.Error("a free directory is in use")
	}
}
