// Package docstest compares pages with what the code says, and writes it there. It knows nothing of
// leadsync.
package docstest

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is generated into the documentation")

// Generated wants a page to have a text between the comments "begin NAME" and "end NAME". With -update
// it writes the text there. command is the one that does so, for whoever reads the page or the failure.
func Generated(tb testing.TB, page, name, command, want string) {
	tb.Helper()
	begin, end := "<!-- begin "+name+": written by `"+command+" -update` -->\n", "<!-- end "+name+" -->"
	data, err := os.ReadFile(page) //nolint:gosec // a page of the repository, named by a test
	if err != nil {
		tb.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(data), begin)
	got, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		tb.Fatalf("%s has not the lines %q and %q", page, begin, end)
	}
	want = "\n" + strings.TrimSpace(want) + "\n\n"
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o600); err != nil { //nolint:gosec // as above
			tb.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(got, want); diff != "" {
		tb.Errorf("%s is not what the code says; %s -update writes it\n(-page +code):\n%s", page, command, diff)
	}
}

// Row is a row of a table. What would end a cell is escaped.
func Row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(strings.Join(strings.Fields(cell), " "), "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}
