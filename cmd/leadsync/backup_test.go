package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/retry"
)

// backup copies the database beside the service and returns the file.
func (h *harness) backup(dir string) string {
	h.t.Helper()
	code, out := h.command("backup", "--json", dir)
	var done struct {
		File    string
		Bytes   int64
		LeftOut []string `json:"left_out"`
	}
	if err := json.Unmarshal([]byte(out), &done); code != exitOK || err != nil || done.Bytes == 0 || len(done.LeftOut) == 0 {
		h.t.Fatalf("backup exits with %d, says %s, %v", code, out, err)
	}
	return done.File
}

// moveTo gives the stopped service another data directory, with a copy of the database in it.
func (h *harness) moveTo(dir, copied string) {
	h.t.Helper()
	data, err := os.ReadFile(copied)
	if err != nil {
		h.t.Fatal(err)
	}
	h.dataDir, h.dbPath = dir, filepath.Join(dir, "leadsync.db")
	if err := os.WriteFile(h.dbPath, data, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.dbURL = "sqlite:" + h.dbPath
	for i, v := range h.serve.env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "LEADSYNC_DATA_DIR":
			h.serve.env[i] = name + "=" + h.dataDir
		case "LEADSYNC_DATABASE_URL":
			h.serve.env[i] = name + "=" + h.dbURL
		}
	}
}

// The machine is lost, with NATS and the data directory; what is left is a backup that was made while the
// portal changed. The steps are those of docs/operations.md.
func TestABackupIsRestored(t *testing.T) {
	t.Parallel()
	h := newHarness(t, true)
	h.install()
	a, b, c, _ := h.sampleIDs()
	h.addRevisions("before", a, b)

	editing, stop := context.WithCancel(t.Context())
	var edits sync.WaitGroup
	edits.Go(func() {
		for n := 0; retry.Wait(editing, 5*time.Millisecond) == nil; n++ {
			if err := h.portal.Edit(c, map[string]any{"TITLE": fmt.Sprintf("while it is copied %d", n)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	h.untilTitled(c, "while it is copied")
	file := h.backup(filepath.Join(t.TempDir(), "backups"))
	stop()
	edits.Wait()

	h.addRevisions("after the backup", a, b)
	h.portal.Add(3)
	if err := h.portal.Delete(b); err != nil {
		t.Fatal(err)
	}
	h.untilConsistent("all agree before")
	h.serve.stop()
	h.subscriber.stop()
	h.edit(a, "while nothing ran")
	if err := h.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}

	h.moveTo(t.TempDir(), file)
	h.serve.start()
	h.untilUp()
	h.reopen()
	h.republish()
	if code, out := h.command("reconcile"); code != exitOK {
		t.Errorf("reconcile exits with %d: %s", code, out)
	}
	h.subscriber = h.subscribe()
	h.untilConsistent("portal, tables and topic agree again")
	h.addRevisions("and afterwards", a, c)
	h.untilConsistent("they still agree")
}

// What cannot be backed up by the command is said, and nothing is made.
func TestBackupSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vars := map[string]string{"LEADSYNC_DATA_DIR": filepath.Join(dir, "data")}
	if code, _, stderr := command(t.Context(), t, vars, "backup", filepath.Join(dir, "backups")); code != exitFailure || !strings.Contains(stderr, "there is no database") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
}
