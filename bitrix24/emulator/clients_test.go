package emulator_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"leadsync/bitrix24/emulator"
)

// TestClients runs other vendors' clients against the portal. It needs node and what npm ci
// installs, so it runs only if LEADSYNC_TEST_CLIENTS is set.
func TestClients(t *testing.T) {
	if os.Getenv("LEADSYNC_TEST_CLIENTS") == "" {
		t.Skip("LEADSYNC_TEST_CLIENTS is not set: see testdata/clients/README.md")
	}
	b := start(t, emulator.Config{Leads: 260, Seed: 8, TLS: true})
	line, err := json.Marshal(b.info)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "info.json")
	if err := os.WriteFile(file, line, 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "b24jssdk.mjs", file)
	node.Dir = filepath.Join("testdata", "clients")
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+b.info.CA)
	out, err := node.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
