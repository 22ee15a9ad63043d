package shell_test

import (
	"testing"

	"leadsync/shell"
)

func TestColoursAreForTerminals(t *testing.T) {
	for _, test := range []struct {
		name     string
		terminal bool
		set      map[string]string
		want     bool
	}{
		{"a terminal", true, map[string]string{"TERM": "xterm"}, true},
		{"a terminal of Windows", true, nil, true},
		{"a file", false, map[string]string{"TERM": "xterm"}, false},
		{"nobody wants them", true, map[string]string{"NO_COLOR": "1"}, false},
		{"an empty NO_COLOR says nothing", true, map[string]string{"NO_COLOR": ""}, true},
		{"a terminal without colours", true, map[string]string{"TERM": "dumb"}, false},
	} {
		c := shell.NewColours(test.terminal, func(name string) (string, bool) { value, ok := test.set[name]; return value, ok })
		for _, painted := range []string{c.Good("x"), c.Bad("x"), c.Doubtful("x")} {
			if (painted != "x") != test.want || test.want && painted[0] != '\x1b' {
				t.Errorf("%s: %q", test.name, painted)
			}
		}
	}
}
