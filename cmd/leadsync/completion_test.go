package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/docs/docstest"
	"leadsync/shell"
)

// Every command shows an example that its parser takes, of itself, and names a page that exists.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	model := parserOf(t).Model
	for _, node := range model.Leaves(true) {
		name := shell.CommandLine(model, node)
		list, err := calls(shell.Example(node))
		if err != nil || len(list) != 1 || ours(list[0]) == nil {
			t.Errorf("%s: the example is %q, want one command (%v)", name, shell.Example(node), err)
			continue
		}
		ctx, err := parserOf(t).Parse(ours(list[0]))
		if err != nil || ctx.Selected() == nil || ctx.Selected().Path() != node.Path() {
			t.Errorf("%s: the example %q is of another command, or wrong: %v", name, shell.Example(node), err)
		}
		page, anchor, hasAnchor := strings.Cut(shell.More(node), "#")
		if !strings.HasSuffix(page, ".md") {
			t.Errorf("%s: names no page that says more", name)
			continue
		}
		if anchors := docstest.ReadPage(t, filepath.Join(root, page)).Anchors; hasAnchor && !slices.Contains(anchors, anchor) {
			t.Errorf("%s: %s has no heading #%s", name, page, anchor)
		}
	}
}

func TestHelpEndsWithAnExample(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"reconcile"}, {"reconcile", "history"}, {"serve"}, {"dead"}, {"service", "install"}} {
		_, out, _ := command(t.Context(), t, nil, append(args, "--help")...)
		if !regexp.MustCompile(`\n\nExample:\n  leadsync `+strings.Join(args, " ")+`\b.*\n\nMore: (\S+/)?docs/\S+\n$`).MatchString(out) || strings.Count(out, "Example:") != 1 {
			t.Errorf("%v: %s", args, out)
		}
	}
}

func TestCompletionPrintsScripts(t *testing.T) {
	t.Parallel()
	for name := range strings.SplitSeq(shell.Shells, ",") {
		code, out, errs := command(t.Context(), t, nil, "completion", name)
		if code != exitOK || !strings.Contains(out, "__complete") {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}
	if code, _, errs := command(t.Context(), t, nil, "completion", "csh"); code != exitUsage || !strings.Contains(errs, "powershell") {
		t.Errorf("csh: exit %d: %s", code, errs)
	}
}

// What the scripts ask is answered, in the words in which that of PowerShell asks; PowerShell itself runs on no
// machine of ours.
func TestCompletionIsAnswered(t *testing.T) {
	t.Parallel()
	script, err := shell.Script("powershell")
	if err != nil || !strings.Contains(script, `__complete "--word=$wordToComplete" @words`) {
		t.Fatalf("the script asks in other words: %s, %v", script, err)
	}
	tests := []struct {
		word  string
		words []string
		want  string
	}{
		{"rec", []string{"leadsync"}, "words\nreconcile\t"},
		{"--dr", []string{`C:\Program Files\leadsync\leadsync.exe`, "reconcile"}, "words\n--dry-run\tRecord what differs and repair nothing.\n"},
		{"", []string{"leadsync", "init", "--lang"}, "words\nen\t\nru\t\n"},
		{"", []string{"leadsync", "--config"}, "file\n"},
		{"--config=lead", []string{"leadsync", "serve"}, "file\n"},
		{"", []string{"leadsync", "backup"}, "dir\n"},
		{"power", []string{"leadsync", "completion"}, "words\npowershell\t\n"},
		{"st", []string{"leadsync", "--config", "a.env", "service"}, "words\nstart\tStart the service and wait until it runs.\nstop\tStop the service and wait for its end.\nstatus\t"},
		{"", []string{"leadsync", "--help"}, "words\ndemo\t"},
		{"rec", []string{"leadsync", "help"}, "words\nreconcile\t"},
		{"", []string{"leadsync", "reconcile", "--portal"}, "words\n"},
	}
	for _, test := range tests {
		code, out, errs := command(t.Context(), t, nil, append([]string{"__complete", "--word=" + test.word}, test.words...)...)
		if code != exitOK || errs != "" || !strings.HasPrefix(out, test.want) {
			t.Errorf("%q behind %q: exit %d, %q, want %q; %s", test.word, test.words, code, out, test.want, errs)
		}
	}
}

// Every flag that takes a file or a directory is completed with such, and what takes a portal with those there are.
func TestFlagsForPathsAreCompleted(t *testing.T) {
	t.Parallel()
	for _, node := range parserOf(t).Model.Leaves(true) {
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				wants := flag.PlaceHolder == "FILE" || flag.PlaceHolder == "DIR" || strings.HasPrefix(flag.Help, "Only this portal")
				if wants != flag.Tag.Has(shell.CompleteTag) {
					t.Errorf("%s --%s: placeholder %q, tag %q", node.Path(), flag.Name, flag.PlaceHolder, flag.Tag.Get(shell.CompleteTag))
				}
			}
		}
	}
}

// The man page has every command with its flags and example, is the same each time, and what checks man pages
// finds nothing.
func TestManPage(t *testing.T) {
	t.Parallel()
	code, page, errs := command(t.Context(), t, nil, "man", "--date", "2026-11-27")
	if _, again, _ := command(t.Context(), t, nil, "man", "--date", "2026-11-27"); code != exitOK || page != again {
		t.Fatalf("exit %d: %s%s", code, errs, cmp.Diff(page, again))
	}
	if strings.Contains(page, "…") {
		t.Error("the page has an …, which man leaves out where the terminal has no UTF-8")
	}
	model := parserOf(t).Model
	for _, node := range model.Leaves(true) {
		for _, want := range []string{".SS leadsync " + strings.TrimSpace(node.Path()), shell.Example(node), node.Help} {
			if node.Parent.DefaultCmd == node {
				want = strings.Replace(want, ".SS leadsync "+strings.TrimSpace(node.Path()), ".SS leadsync "+strings.TrimSpace(node.Parent.Path()), 1)
			}
			if !strings.Contains(strings.ReplaceAll(page, `\`, ""), strings.ReplaceAll(want, `\`, "")) {
				t.Errorf("the page has not %q", want)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "leadsync.1")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, check := range [][]string{{"mandoc", "-Tlint", "-Wwarning"}, {"groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z"}} {
		if _, err := exec.LookPath(check[0]); err != nil {
			t.Logf("%s is not installed", check[0])
			continue
		}
		if out, err := exec.Command(check[0], append(check[1:], file)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %v: %s", check, err, out)
		}
	}
}
