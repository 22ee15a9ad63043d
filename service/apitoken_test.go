package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPITokenIsKeptOrConfigured(t *testing.T) {
	data := &dataDir{path: t.TempDir()}
	first, err := apiToken(Config{}, data)
	if err != nil || len(first) < shortestToken {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	if second, err := apiToken(Config{}, data); err != nil || second != first {
		t.Errorf("the next start has another: %v", err)
	}
	if given, err := apiToken(Config{APIToken: "given by a person"}, data); err != nil || given != "given by a person" {
		t.Errorf("the configured one does not count: %v", err)
	}
	if err := os.WriteFile(filepath.Join(data.path, "api-token"), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := apiToken(Config{}, data); err == nil || !strings.Contains(err.Error(), "delete the file") || strings.Contains(err.Error(), "short\n") {
		t.Errorf("a short one: %v", err)
	}
}
