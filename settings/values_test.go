package settings_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadsync/settings"
)

// write writes a file for its owner alone.
func write(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	secret := write(t, "token", "from-a-file-of-its-own\r\n")
	file := write(t, "leadsync.env", "\xef\xbb\xbf# a comment\r\nLEADSYNC_HTTP_ADDR=:1\r\nexport LEADSYNC_LOG_LEVEL = 'warn'\n\n; another\n"+
		"LEADSYNC_NATS_PASSWORD='pa$$word #1 \\n ${HOME}'\nLEADSYNC_NATS_USER=$USER\nMSSQL_PID=Developer\nTZ=Europe/Moscow\n"+
		"LEADSYNC_API_TOKEN=token-of-the-settings-file\nLEADSYNC_CARD_TOKEN_FILE="+secret+"\nLEADSYNC_KEEP=\n"+`LEADSYNC_ALERT_SMTP_FROM="a \"b\" <c@d.example>"`)
	values, err := settings.Read(settings.Sources{Environment: []string{
		"LEADSYNC_HTTP_ADDR=:2", "LEADSYNC_LOG_LEVEL= ", "LEADSYNC_API_TOKEN_FILE=" + secret, "HOME=/root", "LEADSYNC_TEST_X=1", "LEADSYNC_PORT=tcp://10.0.0.1:80",
	}, File: file})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{
		"LEADSYNC_HTTP_ADDR":       {":2", "environment"},
		"LEADSYNC_LOG_LEVEL":       {"warn", file + ":3"}, // a blank variable is none
		"LEADSYNC_NATS_PASSWORD":   {`pa$$word #1 \n ${HOME}`, file + ":6"},
		"LEADSYNC_NATS_USER":       {"$USER", file + ":7"},
		"TZ":                       {"Europe/Moscow", file + ":9"},
		"LEADSYNC_API_TOKEN":       {"from-a-file-of-its-own", secret},
		"LEADSYNC_CARD_TOKEN":      {"from-a-file-of-its-own", secret},
		"LEADSYNC_ALERT_SMTP_FROM": {`a "b" <c@d.example>`, file + ":13"},
		"LEADSYNC_KEEP":            {"", "default"},
		"LEADSYNC_DATA_DIR":        {"", "default"},
	} {
		if value, _ := values.Lookup(name); value != want[0] || values.From(name) != want[1] {
			t.Errorf("%s is %q from %s, want %q", name, value, values.From(name), want)
		}
	}
	if _, ok := values.Lookup("MSSQL_PID"); ok {
		t.Error("a variable of others is a setting")
	}
}

func TestFaultyFilesAreExplained(t *testing.T) {
	empty := write(t, "empty", "\n")
	for text, want := range map[string]string{
		"LEADSYNC_NATS_PASSWORD=a#hunter2":                             ":1: the value has a quotation mark or a #, want it in single quotes",
		"LEADSYNC_NATS_PASSWORD=hunter2 # c":                           ":1: the value has a quotation mark or a #",
		"\nhunter2":                                                    ":2: not a setting, want NAME=value",
		"LEADSYNC_API_TOKEN='hunter2":                                  ":1: not a setting",
		`LEADSYNC_API_TOKEN="\hunter2"`:                                ":1: not a setting",
		"LEADSYNC_TOKEN=hunter2":                                       ":1: LEADSYNC_TOKEN: unknown setting",
		"LEADSYNC_KEEP=off\n\nLEADSYNC_KEEP=30d":                       ":3: LEADSYNC_KEEP is set already at ",
		"L\x00E\x00=\x00":                                              "not a text in UTF-8",
		"LEADSYNC_API_TOKEN=hunter2\nLEADSYNC_API_TOKEN_FILE=" + empty: "LEADSYNC_API_TOKEN: set beside LEADSYNC_API_TOKEN_FILE",
		"LEADSYNC_API_TOKEN_FILE=" + empty:                             "LEADSYNC_API_TOKEN_FILE: " + empty + " is empty",
		"LEADSYNC_API_TOKEN_FILE=/nonexistent/hunter":                  "LEADSYNC_API_TOKEN_FILE: /nonexistent/hunter: cannot be read (no such file or directory)",
	} {
		_, err := settings.Read(settings.Sources{File: write(t, "leadsync.env", text)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := settings.Read(settings.Sources{File: "/nonexistent/leadsync.env"}); err == nil || !strings.Contains(err.Error(), "/nonexistent/leadsync.env: cannot be read (no such") {
		t.Errorf("a file that is not there: %v", err)
	}
	if v, err := settings.Read(settings.Sources{File: "/nonexistent/leadsync.env", Optional: true}); err != nil || v.File() != "" {
		t.Errorf("a file that need not be there: %v", err)
	}
}

func TestFilesThatOthersCanReadAreReported(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	for text, exposed := range map[string]bool{
		"LEADSYNC_API_TOKEN=a-token-to-read-everything": true, "LEADSYNC_HTTP_ADDR=:1": false, "LEADSYNC_DATABASE_URL=sqlite:a": false,
		"LEADSYNC_DATABASE_URL=sqlserver://h?database=d": false, "LEADSYNC_DATABASE_URL=sqlserver://sa:p@h?database=d": true, "LEADSYNC_NATS_URL=nats://h": false,
	} {
		for _, mode := range []os.FileMode{0o600, 0o640, 0o604} {
			file := write(t, "leadsync.env", text)
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			v, err := settings.Read(settings.Sources{File: file})
			if err != nil || (v.Exposed() != "") != (exposed && mode != 0o600) {
				t.Errorf("%s, %o: exposed %q, %v", text, mode, v.Exposed(), err)
			}
		}
	}
}

// Whatever is written into a file is read from it.
func TestLinesAreReadAsTheyWereWritten(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[ -~я]{1,30}`).Filter(func(s string) bool { return strings.TrimSpace(s) != "" }).Draw(t, "value")
		file := filepath.Join(dir, "leadsync.env")
		if err := os.WriteFile(file, []byte(settings.Line("LEADSYNC_NATS_USER", value)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := settings.Read(settings.Sources{File: file})
		if got, _ := v.Lookup("LEADSYNC_NATS_USER"); err != nil || got != value {
			t.Fatalf("%q is read as %q, %v", value, got, err)
		}
	})
}
