package setup

import (
	"strings"
	"testing"

	"leadsync/handlers/language"
)

// Who set leadsync up is told to start what runs it from now on, and nothing that is not true of his system.
func TestNextStepsAreThoseOfTheSystem(t *testing.T) {
	for _, test := range []struct {
		name, system      string
		setup             setup
		installed         bool
		commands, readers string
	}{
		{"Windows", "windows", setup{Config: Config{Standard: true}, closed: true}, false, "leadsync service install; leadsync service start", "administrators and the service"},
		{"the service is there", "windows", setup{Config: Config{Standard: true}, closed: true}, true, "leadsync service start", "administrators and the service"},
		{"a folder of his own", "windows", setup{}, true, "leadsync serve --config x.env", ""},
		{"systemd", "linux", setup{Config: Config{Standard: true, Unit: true, Owner: "leadsync"}}, false, "systemctl enable --now leadsync", "leadsync"},
		{"elsewhere", "linux", setup{Config: Config{Language: language.Russian}}, false, "leadsync serve --config x.env", "этот пользователь"},
	} {
		named := " --config x.env"
		if test.setup.Standard {
			named = ""
		}
		if got := strings.Join(test.setup.starts(test.system, named, test.installed), "; "); got != test.commands {
			t.Errorf("%s: %s, want %s", test.name, got, test.commands)
		}
		if got := test.setup.readers(test.system); got != test.readers {
			t.Errorf("%s: readable by %q, want %q", test.name, got, test.readers)
		}
	}
}
