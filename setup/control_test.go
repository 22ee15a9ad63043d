package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/setup"
)

// An arrow key leaves characters in an answer with which no command could read the file.
func TestArrowKeysAreNoPartOfAnAnswer(t *testing.T) {
	const arrow = "\x1b[D"
	p := &person{t: t, answers: [][2]string{
		{"SQL Server", "sqlite" + arrow},
		{"SQL Server", "sqlite"},
		{"Address", ""},
		{"The portal's address", "https://p.bitrix24.ru/rest/1/s/"},
		{"as Bitrix24 shows it", "to" + arrow + "ken"},
		{"as Bitrix24 shows it", "token"},
	}}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil || len(p.answers) > 0 || strings.Count(out, "type it again") != 2 {
		t.Fatalf("%v, left %v\n%s", err, p.answers, out)
	}
	want(t, value, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": "token"})
}

// A line break in a flag would end the setting's line, and begin another one.
func TestALineBreakInAFlagIsRefused(t *testing.T) {
	for name, given := range map[string]setup.Answers{
		"LEADSYNC_B24_CLIENT_SECRET": {ClientID: "local.1", ClientSecret: "hunter2\nLEADSYNC_KEEP=40d"},
		"LEADSYNC_B24_PORTALS":       {Others: map[string]string{"LEADSYNC_B24_PORTALS": "p.bitrix24.ru\n"}},
	} {
		file := filepath.Join(t.TempDir(), "leadsync.env")
		given.DataDir = "data"
		_, _, err := set(t, setup.Config{Output: file, Given: given})
		if !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), name+": it has a line break") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it is written: %v", name, err)
		}
	}
}
