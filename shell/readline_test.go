//go:build unix

package shell_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What bash makes of a line when Tab is pressed at its end: bash, not the script, says where words begin, and what a candidate
// replaces.
func TestBashCompletesBehindColons(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	if exec.Command(bash, "--norc", "-c", "((BASH_VERSINFO[0] >= 4))").Run() != nil {
		t.Skip("this bash does not tell what stands in its line, want version 4 or newer")
	}
	for _, test := range []struct{ name, line, want string }{
		{"before a colon", "pack --gate se", "pack --gate sea:80 "},
		{"several begin alike", "pack --gate a", "pack --gate air:8"},
		{"behind a colon", "pack --gate sea:", "pack --gate sea:80 "},
		{"in the middle of what is behind it", "pack --gate air:84", "pack --gate air:8443 "},
		{"behind a sign", "pack --gate=sea:8", "pack --gate=sea:80 "},
		{"another host's", "pack --gate land:8", "pack --gate land:8"},
		{"a blank behind a colon ends a word", "pack --gate sea: bi", "pack --gate sea: bin/"},
		{"words with colons before", "pack --gate air:80 :box: la", "pack --gate air:80 :box: large "},
		{"a value with colons is no argument", "book --meal a::b:c hi", "book --meal a::b:c history "},
		{"a file", "--config hall:", "--config hall:1.txt "},
		{"no colon", "book --class f", "book --class first "},
		{"behind another command", "true; leadsync pack --gate sea:8", "true; leadsync pack --gate sea:80 "},
	} {
		line := "leadsync "
		if strings.Contains(test.line, line) {
			line = ""
		}
		if got := pressTab(t, bash, "", line+test.line); got != line+test.want {
			t.Errorf("%s: %q, want %q", test.name, got, line+test.want)
		}
	}
	if got := pressTab(t, bash, `COMP_WORDBREAKS=${COMP_WORDBREAKS//:}`, "leadsync pack --gate sea:8"); got != "leadsync pack --gate sea:80 " {
		t.Errorf("colons do not split words: %q", got)
	}
}

// pressTab types a line, presses Tab and returns what the line is then.
func pressTab(t *testing.T, bash, before, line string) string {
	t.Helper()
	dir := place(t, "bash")
	rc, said := filepath.Join(dir, "rc"), filepath.Join(dir, "said")
	for file, text := range map[string]string{
		rc: before + `
source "$SCRIPT"
bind 'set bell-style none' 'set enable-bracketed-paste off'
bind -x '"\C-t": printf %s "$READLINE_LINE" >"$SAID"'
bind '"\C-o": kill-whole-line'
`, filepath.Join(dir, "hall:1.txt"): "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), bash, "--noprofile", "--rcfile", rc, "-i")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "INPUTRC=/dev/null", "SCRIPT="+filepath.Join(dir, "script"), "SAID="+said)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interactive shell would take the terminal of the tests
	cmd.Stdin = strings.NewReader(line + "\t\x14\x0f")
	out, err := cmd.CombinedOutput()
	got, readErr := os.ReadFile(said)
	if readErr != nil {
		t.Fatalf("%v, %v: %s", err, readErr, out)
	}
	return string(got)
}
