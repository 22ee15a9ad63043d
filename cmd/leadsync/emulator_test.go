package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads/leadstest"
	"leadsync/settings"
)

// What the emulator prints is a settings file as it stands, whatever shell is in use.
func TestEmulatorPrintsASettingsFile(t *testing.T) {
	var out leadstest.Log
	info := emulator.Info{Portal: "http://127.0.0.1:8924", OAuth: "http://127.0.0.1:8925", ClientID: "local.1", ClientSecret: "s"}
	if err := (emulatorCmd{}).announce(&app{surroundings: around(nil, &out, nil)}, info); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "LEADSYNC_") {
			lines = append(lines, line)
		}
	}
	file := filepath.Join(t.TempDir(), "emulator.env")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := settings.Read(settings.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"LEADSYNC_B24_INSECURE_HOSTS": "127.0.0.1:8924,127.0.0.1:8925", "LEADSYNC_B24_CLIENT_ID": "local.1", "LEADSYNC_B24_CLIENT_SECRET": "s", "LEADSYNC_PUBLIC_URL": "http://127.0.0.1:8080",
	} {
		if got, _ := values.Lookup(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
