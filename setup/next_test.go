package setup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/settings"
)

func TestWhatComesNextFitsWhatIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		owner     string
		answers   map[string]string
		want, not string
	}{
		"root":                 {"leadsync", nil, "  sudo -u leadsync leadsync doctor\n", "  leadsync "},
		"another user":         {"", nil, "  leadsync doctor\n", "sudo"},
		"no public address":    {"", nil, "  when there is a public address: leadsync init --force\n", "save the form"},
		"no client id":         {"", map[string]string{publicURL: "https://l.example.com"}, "put client_id and client_secret", "public address"},
		"client id and secret": {"", map[string]string{publicURL: "https://l.example.com", clientID: "local.1", clientSecret: "s"}, "save the form", "client_id"},
		"a secret in a file":   {"", map[string]string{publicURL: "https://l.example.com", clientID: "local.1", clientSecret + "_FILE": "/s"}, "save the form", "client_id"},
		"a webhook":            {"", map[string]string{webhookURL: "https://p.bitrix24.ru/rest/1/s/"}, "doctor", "save the form"},
	} {
		var out strings.Builder
		next{cfg: Config{Owner: c.owner, AsOwner: settings.AsUser(c.owner, having("sudo")), Program: "leadsync", Standard: true}, draft: &draft{answers: c.answers, takeOver: true, person: dialogue{out: &out}}}.say()
		_, said, _ := strings.Cut(out.String(), "Next:\n")
		if !strings.Contains(said, c.want) || strings.Contains(said, c.not) {
			t.Errorf("%s: want %q and not %q in\n%s", name, c.want, c.not, said)
		}
	}
}

// having finds these programs.
func having(programs ...string) func(string) (string, error) {
	return func(name string) (string, error) {
		if slices.Contains(programs, name) {
			return "/usr/bin/" + name, nil
		}
		return "", errors.New("it is not there")
	}
}

// Containers have no sudo.
func TestCommandsRunAsTheUserByWhatIsThere(t *testing.T) {
	const setpriv = "setpriv --reuid leadsync --regid leadsync --init-groups --"
	for want, programs := range map[string][]string{"sudo -u leadsync": {"sudo", "setpriv"}, setpriv: {"setpriv"}} {
		if got := settings.AsUser("leadsync", having(programs...)); got != want {
			t.Errorf("%v: %q, want %q", programs, got, want)
		}
	}
	if got := settings.AsUser("", having("sudo")); got != "" {
		t.Errorf("nobody: %q", got)
	}
}

// A container may have the package, and no systemd that runs.
func TestAUnitNeedsARunningSystemd(t *testing.T) {
	root := t.TempDir()
	units := filepath.Join(root, "usr", "lib", "systemd", "system")
	if err := errors.Join(os.MkdirAll(units, 0o700), os.WriteFile(filepath.Join(units, "leadsync.service"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if HasUnit(root) {
		t.Error("systemd does not run")
	}
	if err := os.MkdirAll(filepath.Join(root, "run", "systemd", "system"), 0o700); err != nil {
		t.Fatal(err)
	}
	if !HasUnit(root) {
		t.Error("systemd runs")
	}
}

// An unpacked archive is not found by its name.
func TestTheProgramIsCalledAsItIsFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "leadsync")); err != nil {
		t.Skip("no links can be made here: ", err)
	}
	t.Chdir(dir)
	for _, test := range []struct{ path, arg0, want string }{
		{"/nowhere", "./leadsync", "./leadsync"},
		{"/nowhere", "leadsync", self}, // exec -a
		{dir, "leadsync", "leadsync"},
		{dir, "./leadsync", "leadsync"},
	} {
		t.Setenv("PATH", test.path)
		if got := Program(test.arg0); got != test.want {
			t.Errorf("PATH=%s %s: %q, want %q", test.path, test.arg0, got, test.want)
		}
	}
}

// A printed command can be copied into a shell.
func TestCommandsArePrintedAsAShellTakesThem(t *testing.T) {
	for _, test := range []struct{ system, program, output, want string }{
		{"linux", "./leadsync", "/home/u/leadsync.env", "./leadsync serve --config /home/u/leadsync.env"},
		{"linux", "/opt/lead sync/leadsync", "/it's/x.env", `'/opt/lead sync/leadsync' serve --config '/it'\''s/x.env'`},
		{"linux", "./leadsync", "/домой/x.env", "./leadsync serve --config /домой/x.env"},
		{"windows", `.\leadsync`, `C:\Program Files\x.env`, `.\leadsync serve --config "C:\Program Files\x.env"`},
	} {
		n := next{cfg: Config{Program: test.program, Output: test.output}}
		if got := n.command(test.system, "serve"); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
