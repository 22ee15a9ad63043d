package sql_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A released migration has run in databases, so a change of its file would never reach them.
func TestReleasedMigrationsStayAsTheyAre(t *testing.T) {
	for path, want := range released(t, "released.txt") {
		if fault := frozen(path, want); fault != "" {
			t.Errorf("%s: %s, want a new migration instead", path, fault)
		}
	}
}

func TestAReleaseHasAListOfItsMigrations(t *testing.T) {
	changes, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if dated := regexp.MustCompile(`(?m)^## \[[0-9.]+\] - [0-9]{4}-`); dated.Match(changes) && len(released(t, "released.txt")) == 0 {
		t.Error("CHANGELOG.md dates a release, and released.txt lists no migration: run make freeze-migrations")
	}
}

func TestChangedMigrationsAreFound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "00001_a.sql")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("CREATE TABLE a (b int);\n")
	list := filepath.Join(dir, "list")
	line := fingerprint([]byte("CREATE TABLE a (b int);\n")) + "  " + path + "\n"
	if err := os.WriteFile(list, []byte("# a comment\n\n"+line), 0o600); err != nil {
		t.Fatal(err)
	}
	want := released(t, list)[path]
	if fault := frozen(path, want); fault != "" {
		t.Errorf("the same file: %s", fault)
	}
	write("CREATE TABLE a (b int);\r\n") // as git writes it on Windows
	if fault := frozen(path, want); fault != "" {
		t.Errorf("with Windows' line breaks: %s", fault)
	}
	write("CREATE TABLE a (c int);\n")
	if frozen(path, want) == "" {
		t.Error("a changed file is not found")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if frozen(path, want) == "" {
		t.Error("a missing file is not found")
	}
}

// released reads a list in the format of sha256sum.
func released(t *testing.T, list string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		sum, path, ok := strings.Cut(line, "  ")
		if !ok {
			t.Fatalf("%s: line %q, want a SHA-256, two spaces and a file", list, line)
		}
		files[path] = sum
	}
	return files
}

// frozen says what is wrong with a released file, "" where nothing is.
func frozen(path, want string) string {
	content, err := os.ReadFile(path)
	switch {
	case err != nil:
		return "it is gone"
	case fingerprint(content) != want:
		return "it changed after its release"
	default:
		return ""
	}
}

func fingerprint(content []byte) string {
	sum := sha256.Sum256(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	return hex.EncodeToString(sum[:])
}
