package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestServiceCommandsAreForWindows(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("here they would do something")
	}
	dir := t.TempDir()
	for _, verb := range []string{"install", "uninstall", "start", "stop", "status", "run"} {
		code, _, stderr := command(t.Context(), t, map[string]string{"ProgramData": dir}, "service", verb)
		if code != exitFailure || !strings.Contains(stderr, "on Windows only") {
			t.Errorf("%s: exit %d, %s", verb, code, stderr)
		}
	}
	wantEmpty(t, dir)
}

func TestServiceAccountsNeedAPasswordOrHaveNone(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("hunter2\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--account", `HOUSE\leadsync`},
		{"--password-file", password},
		{"--account", `HOUSE\leadsync$`, "--password-file", password},
		{"--account", `HOUSE\leadsync`, "--password-file", password + "x"},
	} {
		code, _, stderr := command(t.Context(), t, nil, append([]string{"service", "install"}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, "--password-file") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%q: exit %d, %s", args, code, stderr)
		}
	}
}
