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
		cfg               Config
		closed            bool
		installed         bool
		commands, readers string
	}{
		{"Windows", "windows", Config{Standard: true}, true, false, "leadsync service install; leadsync service start", "administrators and the service"},
		{"the service is there", "windows", Config{Standard: true}, true, true, "leadsync service start", "administrators and the service"},
		{"a folder of his own", "windows", Config{}, false, true, "leadsync serve --config x.env", ""},
		{"systemd", "linux", Config{Standard: true, Unit: true, Owner: "leadsync"}, false, false, "systemctl enable --now leadsync", "leadsync"},
		{"elsewhere", "linux", Config{Language: language.Russian}, false, false, "leadsync serve --config x.env", "этот пользователь"},
	} {
		test.cfg.Program, test.cfg.Output = "leadsync", "x.env"
		n := next{cfg: test.cfg, draft: &draft{person: dialogue{language: test.cfg.Language}}, written: written{closed: test.closed}}
		if got := strings.Join(n.starts(test.system, test.installed), "; "); got != test.commands {
			t.Errorf("%s: %s, want %s", test.name, got, test.commands)
		}
		if got := n.readers(test.system); got != test.readers {
			t.Errorf("%s: readable by %q, want %q", test.name, got, test.readers)
		}
	}
}
