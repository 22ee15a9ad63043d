package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/settings"
)

// What the emulator prints is a settings file as it stands, whatever shell is in use, and names the service's address.
func TestEmulatorPrintsASettingsFile(t *testing.T) {
	for name, test := range map[string]struct{ listens, public, prints string }{
		"as it is by default":       {"", "http://127.0.0.1:8080", ""},
		"on another port":           {"127.0.0.1:18080", "http://127.0.0.1:18080", "127.0.0.1:18080"},
		"on all addresses":          {":9090", "http://127.0.0.1:9090", ":9090"},
		"the settings are unusable": {"nowhere", "http://127.0.0.1:8080", ""},
	} {
		t.Run(name, func(t *testing.T) { printsASettingsFile(t, test.listens, test.public, test.prints) })
	}
}

func printsASettingsFile(t *testing.T, listens, public, prints string) {
	t.Helper()
	var out leadstest.Log
	info := emulator.Info{Portal: "http://127.0.0.1:8924", OAuth: "http://127.0.0.1:8925", ClientID: "local.1", ClientSecret: "s"}
	a := &app{surroundings: around(map[string]string{"LEADSYNC_HTTP_ADDR": listens}, &out, nil), named: noFile}
	if err := (emulatorCmd{}).announce(a, info); err != nil {
		t.Fatal(err)
	}
	if want := `"events_url":"` + public + leads.CallbackPath + `"`; !strings.Contains(out.String(), want) {
		t.Errorf("the command lacks %s:\n%s", want, out.String())
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
		"LEADSYNC_B24_INSECURE_HOSTS": "127.0.0.1:8924,127.0.0.1:8925", "LEADSYNC_B24_CLIENT_ID": "local.1", "LEADSYNC_B24_CLIENT_SECRET": "s", "LEADSYNC_PUBLIC_URL": public, "LEADSYNC_HTTP_ADDR": prints,
	} {
		if got, _ := values.Lookup(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
