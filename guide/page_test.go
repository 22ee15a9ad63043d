package guide_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"leadsync/guide"
)

// printPage makes the test program print a page's place, as a program that is installed somewhere.
const printPage = "print-page"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == printPage {
		fmt.Println(guide.Page("docs/install.md"), guide.Port)
		return
	}
	os.Exit(m.Run())
}

// withPages is a directory that has pages.
func withPages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docs", "trouble.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPagesAreWhereTheyWereFound(t *testing.T) {
	one, two, without := withPages(t), withPages(t), t.TempDir()
	for _, c := range []struct {
		name   string
		places []string
		page   string
		want   string
	}{
		{"the first that has pages", []string{without, one, two}, "docs/trouble.md#portals", filepath.Join(one, "docs", "trouble.md") + "#portals"},
		{"without a heading", []string{two}, "docs/install.md", filepath.Join(two, "docs", "install.md")},
		{"nowhere", []string{without, filepath.Join(without, "missing")}, "docs/trouble.md#portals", "docs/trouble.md#portals"},
		{"a file where the directory should be", []string{filepath.Join(one, "docs", "trouble.md")}, "docs/install.md", "docs/install.md"},
	} {
		if got := guide.Below(guide.Root(c.places...), c.page); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A program finds the pages beside itself, as in an archive, before those of the directory that it was started
// in; and these, as in a clone, where it has none.
func TestProgramFindsItsPages(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	archive, alone, clone := withPages(t), t.TempDir(), withPages(t)
	for dir, docs := range map[string]string{archive: filepath.Join(archive, "docs"), alone: "docs"} {
		copied := filepath.Join(dir, filepath.Base(program))
		if err := os.WriteFile(copied, binary, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), copied, printPage)
		cmd.Dir = clone
		out, err := cmd.CombinedOutput()
		want := fmt.Sprintf("%s %s#a-port-is-taken\n", filepath.Join(docs, "install.md"), filepath.Join(docs, "trouble.md"))
		if err != nil || string(out) != want {
			t.Errorf("%v: %s, want %s", err, out, want)
		}
	}
}
