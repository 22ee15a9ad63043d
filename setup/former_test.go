package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"leadsync/setup"
)

const usedKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// used is the settings file of an installation that works already.
func used(t *testing.T) (file, text string) {
	t.Helper()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "leadsync.env"), filepath.Join(dir, "operator")
	text = "# a remark\nLEADSYNC_SECRET_KEY=" + usedKey + "\nLEADSYNC_DATA_DIR=" + filepath.Join(dir, "data") + "\nLEADSYNC_KEEP=31d\nLEADSYNC_OPERATOR_TOKEN_FILE=" + secret +
		"\nLEADSYNC_DATABASE_URL='sqlserver://sa:p@h:1433?database=d&encrypt=disable'\nLEADSYNC_PUBLIC_URL=https://leads.example.com\nLEADSYNC_B24_PORTALS=p.bitrix24.ru\n" +
		"LEADSYNC_B24_CLIENT_ID=local.1\nLEADSYNC_B24_CLIENT_SECRET=s\nHTTPS_PROXY=http://proxy:3128\n"
	for name, content := range map[string]string{file: text, secret: "operator-token-of-30-characters\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(file, 0o640); err != nil { // rights of its own
		t.Fatal(err)
	}
	return file, text
}

func TestAReplacedFileKeepsItsSettings(t *testing.T) {
	kept := []string{"LEADSYNC_KEEP", "LEADSYNC_DATABASE_URL", "LEADSYNC_DATA_DIR", "LEADSYNC_B24_PORTALS", "LEADSYNC_B24_CLIENT_ID", "LEADSYNC_B24_CLIENT_SECRET", "LEADSYNC_OPERATOR_TOKEN"}
	for name, p := range map[string]*person{
		"a script": nil,
		"a person": {t: t, answers: [][2]string{
			{"the database of the former file", ""}, {"(Enter: https://leads.example.com; ", "new.example.com"}, {"as in the former file", ""},
		}},
	} {
		file, before := used(t)
		cfg := setup.Config{Output: file, Force: true, DataDir: "data"}
		address := "https://leads.example.com"
		if p != nil {
			cfg.Person, address = p, "https://new.example.com"
		}
		value, out, err := set(t, cfg)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want(t, value, map[string]string{
			"LEADSYNC_SECRET_KEY": usedKey, "LEADSYNC_PUBLIC_URL": address, "LEADSYNC_DATABASE_URL": "sqlserver://sa:p@h:1433?database=d&encrypt=disable",
			"LEADSYNC_KEEP": "31d", "LEADSYNC_B24_CLIENT_SECRET": "s", "LEADSYNC_OPERATOR_TOKEN": "operator-token-of-30-characters", "LEADSYNC_DATA_DIR": filepath.Join(filepath.Dir(file), "data"),
		})
		for _, setting := range kept {
			if value(setting) == "" {
				t.Errorf("%s: %s is lost", name, setting)
			}
		}
		if !strings.Contains(out, "kept LEADSYNC_SECRET_KEY; the former file is "+file+".old\n") {
			t.Errorf("%s: it says\n%s", name, out)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "\nHTTPS_PROXY=http://proxy:3128\n") || !strings.Contains(string(text), "LEADSYNC_OPERATOR_TOKEN_FILE=") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		info, err := os.Stat(file + ".old")
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
			t.Fatalf("%s: %v, %v", name, info, err)
		}
		if old, err := os.ReadFile(file + ".old"); err != nil || string(old) != before {
			t.Errorf("%s: the former file is %q, %v", name, old, err)
		}
	}
}

// The first .old may have the only copy of the key that the database's tokens are encrypted with.
func TestEveryFormerFileIsKept(t *testing.T) {
	file, before := used(t)
	for n, want := range []string{".old", ".old.2", ".old.3"} {
		_, out, err := set(t, setup.Config{Output: file, Force: true, Given: setup.Answers{Others: map[string]string{"LEADSYNC_KEEP": []string{"40d", "50d", "60d"}[n]}}})
		if err != nil || !strings.Contains(out, "the former file is "+file+want+"\n") {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for suffix, has := range map[string]string{".old": before, ".old.2": "LEADSYNC_KEEP=40d\n", ".old.3": "LEADSYNC_KEEP=50d\n", "": "LEADSYNC_KEEP=60d\n"} {
		if text, err := os.ReadFile(file + suffix); err != nil || !strings.Contains(string(text), has) {
			t.Errorf("%s: %v\n%s", suffix, err, text)
		}
	}
}

func TestAFormerFileWithFaultsIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leadsync.env")
	for text, want := range map[string]string{"LEADSYNC_KEEPS=31d\n": "moved away", "# of the former\nLEADSYNC_KEEP=1y\n": file + ":2: LEADSYNC_KEEP: not a time"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := set(t, setup.Config{Output: file, Force: true, Given: setup.Answers{DataDir: "data"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if left, err := os.ReadFile(file); err != nil || string(left) != text {
			t.Errorf("it has %q, %v", left, err)
		}
	}
	if err := os.WriteFile(file, []byte("LEADSYNC_KEEP=31d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := set(t, setup.Config{Output: file, Force: true, Given: setup.Answers{DataDir: "data", Others: map[string]string{"LEADSYNC_KEEP": "2y"}}})
	if !errors.Is(err, setup.ErrAnswer) || strings.Contains(err.Error(), file) {
		t.Errorf("an answer of now: %v", err)
	}
}

func TestANewFileSaysNothingOfAFormerOne(t *testing.T) {
	value, out, err := set(t, setup.Config{Force: true, Given: setup.Answers{DataDir: "data", PublicURL: "leads.example.com"}})
	if err != nil || strings.Contains(out, "former") || value("LEADSYNC_PUBLIC_URL") != "https://leads.example.com" || !strings.Contains(out, "https:// is missing") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAPersonClearsFormerAnswers(t *testing.T) {
	file, _ := used(t)
	p := &person{t: t, answers: [][2]string{
		{"the database of the former file", "-"},
		{"the database of the former file", "db"},
		{"Name of the database", "-"},
		{"Name of the database", "crm"},
		{"Login of SQL Server", "-"},
		{"Login of SQL Server", "sa"},
		{"Its password", "-"},
		{"Its password", " p"},
		{"(Enter: https://leads.example.com; -: none yet)", "-"},
		{"-: the first portal that installs leadsync", "-"},
		{"(Enter: local.1; -: later)", "-"},
	}}
	value, out, err := set(t, setup.Config{Output: file, Force: true, Person: p})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, value, map[string]string{
		"LEADSYNC_DATABASE_URL": "sqlserver://sa:%20p@db:1433?database=crm", "LEADSYNC_PUBLIC_URL": "", "LEADSYNC_B24_PORTALS": "",
		"LEADSYNC_B24_CLIENT_ID": "", "LEADSYNC_B24_CLIENT_SECRET": "", "LEADSYNC_KEEP": "31d",
	})
	for _, reason := range []string{"leads need a database", "the database's name", "a login\n", "the login's password"} {
		if !strings.Contains(out, "this cannot be cleared: ") || !strings.Contains(out, reason) {
			t.Errorf("%q is missing in\n%s", reason, out)
		}
	}
}

// An application belongs to one portal.
func TestAnotherPortalHasAnotherApplication(t *testing.T) {
	for answer, id := range map[string]string{"": "local.1", "local.2": "local.2"} {
		file, _ := used(t)
		p := &person{t: t, answers: [][2]string{{"the former file", ""}, {"Address", ""}, {"The portal's address", "other.bitrix24.ru"}, {"(Enter: local.1; -: later)", answer}}}
		secret := "s"
		if answer != "" {
			p.answers, secret = append(p.answers, [2]string{"client_secret", "-"}, [2]string{"client_secret", "s2"}), "s2"
		}
		value, out, err := set(t, setup.Config{Output: file, Force: true, Person: p})
		if err != nil || len(p.answers) > 0 {
			t.Fatalf("%v, left %v\n%s", err, p.answers, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_PORTALS": "other.bitrix24.ru", "LEADSYNC_B24_CLIENT_ID": id, "LEADSYNC_B24_CLIENT_SECRET": secret})
	}
}

// The secret of the former application belongs to its client_id; the new one's may come by --set, as that of a file.
func TestAnotherClientIDDoesNotKeepTheFormerSecret(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]setup.Answers{
		"a flag": {ClientID: "local.2"},
		"--set":  {Others: map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2"}},
	} {
		file, _ := used(t)
		if _, _, err := set(t, setup.Config{Output: file, Force: true, Given: given}); !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), "LEADSYNC_B24_CLIENT_ID: set without LEADSYNC_B24_CLIENT_SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, given := range map[string]setup.Answers{
		"an id with a file":  {ClientID: "local.2", Others: map[string]string{"LEADSYNC_B24_CLIENT_SECRET_FILE": secret}},
		"an id by --set":     {ClientSecret: "s2", Others: map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2"}},
		"both by --set":      {Others: map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2", "LEADSYNC_B24_CLIENT_SECRET": "s2"}},
		"flags before --set": {ClientID: "local.2", ClientSecret: "s2", Others: map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.3", "LEADSYNC_B24_CLIENT_SECRET": "s3"}},
		"flags":              {ClientID: "local.2", ClientSecret: "s2"},
	} {
		given.Database, given.PublicURL, given.Portal = "sqlite", "https://l.example.com", "p.bitrix24.ru"
		for _, person := range []setup.Terminal{nil, &person{t: t}} { // who is not asked
			former, _ := used(t)
			for _, file := range []string{former, filepath.Join(t.TempDir(), "new.env")} {
				cfg := setup.Config{Output: file, Force: true, Given: given, Person: person}
				value, out, err := set(t, cfg)
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, out)
				}
				want(t, value, map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2", "LEADSYNC_B24_CLIENT_SECRET": "s2"})
			}
		}
	}
}
