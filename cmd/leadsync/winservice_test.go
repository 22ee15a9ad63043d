package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/microsoft/go-mssqldb/msdsn"
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

// Every address of docs/windows.md is accepted, and the driver reads it as that page says.
func TestAddressesOfInstancesAndWindowsLogIns(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "windows.md"))
	if err != nil {
		t.Fatal(err)
	}
	type reading struct {
		Host, Instance, User string
		Port                 uint64
	}
	got := map[string]reading{}
	for _, address := range regexp.MustCompile("sqlserver://[^`]+").FindAllString(string(page), -1) {
		code, _, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATABASE_URL": address}, "config", "show")
		if code != exitOK {
			t.Errorf("%s: exit %d, %s", address, code, stderr)
		}
		read, err := msdsn.Parse(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
		got[strings.TrimPrefix(address, "sqlserver://")] = reading{read.Host, read.Instance, read.User, read.Port}
	}
	want := map[string]reading{
		"leadsync:password@sqlhost:1433?database=oktell":                          {"sqlhost", "", "leadsync", 1433},
		"leadsync:password@sqlhost/SQLEXPRESS?database=oktell":                    {"sqlhost", "SQLEXPRESS", "leadsync", 0},
		"leadsync:password@sqlhost:51433?database=oktell":                         {"sqlhost", "", "leadsync", 51433},
		"sqlhost?database=oktell":                                                 {"sqlhost", "", "", 0},
		"sqlhost/SQLEXPRESS?database=oktell":                                      {"sqlhost", "SQLEXPRESS", "", 0},
		"sqlhost?database=oktell&authenticator=winsspi":                           {"sqlhost", "", "", 0},
		"HOUSE%5Cleadsync:password@sqlhost?database=oktell&authenticator=winsspi": {"sqlhost", "", `HOUSE\leadsync`, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
