package service

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"leadsync/leads"
)

// A service that was killed leaves run.json behind: its server is not one that does not answer. One
// that starts, or hangs, still owns the directory.
func TestAKilledServiceIsNotRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := Config{DataDir: dir, NATSURL: Embedded, NATSPrefix: "LEADS"}
	idle := func() bool { _, err := natsState(t.Context(), cfg); return errors.Is(err, errIdle) }
	if !idle() {
		t.Error("a service runs in an empty directory")
	}
	data, err := openData(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"", "nats://127.0.0.1:1"} {
		if err := data.announce(url, leads.Secret("s"), "", "", ""); err != nil {
			t.Fatal(err)
		}
		if idle() {
			t.Errorf("the service that announces %q is not running", url)
		}
	}
	if err := data.lock.Close(); err != nil { // as the end of a process does
		t.Fatal(err)
	}
	if _, err := os.Stat(runFile(dir)); err != nil || !idle() {
		t.Errorf("a killed service runs (%v)", err)
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil || !idle() {
		t.Errorf("a service without a lock runs (%v)", err)
	}
	again, err := openData(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
