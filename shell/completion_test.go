package shell_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"leadsync/shell"
)

// flight is a command line with everything that completion knows.
type flight struct {
	Config string `complete:"file" help:"Settings."`

	Book struct {
		Seat struct {
			Class  string   `enum:"first,second," default:"" help:"Class."`
			Meal   []string `help:"Meals: as many as you like."`
			Resume bool     `help:"Go on."`
			Refund bool     `help:"Give back."`
			Secret string   `hidden:"" help:"Nobody sees it."`
		} `cmd:"" default:"withargs" help:"Book a seat."`
		History struct {
			Limit int `help:"The most."`
		} `cmd:"" help:"List bookings."`
	} `cmd:"" help:"Book."`
	Pack struct {
		Dir  string `arg:"" complete:"dir" help:"Where."`
		Size string `arg:"" optional:"" enum:"small,large" default:"small" help:"Size."`
		Gate string `enum:"air:80,air:8443,sea:80," default:"" help:"Gate."`
	} `cmd:"" help:"Pack."`
	Ghost    struct{} `cmd:"" hidden:"" help:"Nobody sees it."`
	Complete answer   `cmd:"" name:"__complete" hidden:"" help:"Complete."`
}

type answer struct {
	Word  string   `help:"Word."`
	Words []string `arg:"" optional:"" passthrough:"" help:"Words."`
}

// Run answers as leadsync does.
func (a answer) Run(ctx *kong.Context) error {
	return shell.Complete(ctx.Model.Node, a.Words[1:], a.Word).Write(os.Stdout)
}

// TestMain is the program that scripts ask, where a shell starts it.
func TestMain(m *testing.M) {
	if os.Getenv("LEADSYNC_TEST_SHELL") == "" {
		os.Exit(m.Run())
	}
	ctx := kong.Parse(&flight{}, kong.Name("leadsync"))
	ctx.FatalIfErrorf(ctx.Run())
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&flight{}, kong.Name("leadsync"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// lines are command lines whose last word is at the cursor, with what may stand there.
var lines = []struct{ name, line, want string }{
	{"commands", "", "book pack"},
	{"a command's beginning", "p", "pack"},
	{"commands below one", "book ", "history"},
	{"flags of the command that one is short for", "book --re", "--refund --resume"},
	{"flags of every command", "book history --", "--config --help --limit"},
	{"a flag that is given already", "book --resume --re", "--refund"},
	{"a flag that may be repeated", "book --meal fish --m", "--meal"},
	{"a hidden flag", "book --sec", ""},
	{"a flag's values", "book --class ", "first second"},
	{"a value's beginning", "book --class s", "second"},
	{"a value that nobody can list", "book --meal ", ""},
	{"a value is no command", "--config book ", "book pack"},
	{"the argument behind another one", "pack box l", "large"},
	{"no flag like that", "book --nonsense=", ""},
}

func TestAnswers(t *testing.T) {
	root := model(t).Node
	for _, test := range append(lines, []struct{ name, line, want string }{
		{"a value in the same word", "book --class=f", "--class=first"},
		{"a value behind a sign of its own", "book --class = f", "first"},
		{"the sign itself", "book --class =", "first second"},
		{"a value behind a sign is no command", "--config = book ", "book pack"},
		{"files", "--config ", "file:"},
		{"files in the same word", "--config=x", "file:"},
		{"directories", "pack b", "dir:"},
	}...) {
		words := strings.Split(test.line, " ")
		got := shell.Complete(root, words[:len(words)-1], words[len(words)-1])
		if diff := cmp.Diff(test.want, said(got)); diff != "" {
			t.Errorf("%s, %q (-want +got):\n%s", test.name, test.line, diff)
		}
	}
}

func said(a shell.Answer) string {
	var words []string
	for _, c := range a.Candidates {
		words = append(words, c.Word)
	}
	if a.Place != "" {
		words = append(words, a.Place+":")
	}
	return strings.Join(words, " ")
}

// A shell that runs the script offers what the program answers.
func TestShellsComplete(t *testing.T) {
	shells := []struct {
		name string
		args []string
		ask  string // with $LINE, whose words are separated by blanks; prints a candidate on each line
	}{
		{"bash", []string{"--norc", "-c"}, `source "$SCRIPT"; IFS=' ' read -ra COMP_WORDS <<<"leadsync $LINE"; [[ $LINE == *' ' || -z $LINE ]] && COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _leadsync leadsync; printf '%s\n' "${COMPREPLY[@]}"`},
		// The completion system of zsh works in its line editor alone; here stands what it does with our words.
		{"zsh", []string{"-f", "-c"}, `compdef() { }; compset() { }; _describe() { for c in $candidates; do print -r -- ${c%%:*}; done }
			_files() { if [[ $1 == -/ ]]; then print -l -- ${words[CURRENT]}*(N/); else print -l -- ${words[CURRENT]}*(N); fi }
			source $SCRIPT; words=("${(@s: :)${:-leadsync $LINE}}"); CURRENT=$#words; _leadsync`},
		{"fish", []string{"--no-config", "-c"}, `source $SCRIPT; complete -C "leadsync $LINE" | string replace -r '\t.*' ''`},
	}
	for _, sh := range shells {
		t.Run(sh.name, func(t *testing.T) {
			program, err := exec.LookPath(sh.name)
			if err != nil {
				t.Skip(sh.name + " is not installed")
			}
			dir := place(t, sh.name)
			for _, test := range append(lines, []struct{ name, line, want string }{
				{"files", "--config lead", "leadsync.env"},
				{"directories", "pack b", "bin box"},
			}...) {
				cmd := exec.Command(program, append(sh.args, sh.ask)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "SCRIPT="+filepath.Join(dir, "script"), "LINE="+test.line)
				out, err := cmd.CombinedOutput()
				got := strings.Fields(strings.ReplaceAll(string(out), "/", ""))
				slices.Sort(got)
				if want := strings.Fields(test.want); !slices.Equal(got, want) {
					t.Errorf("%s, %q: %q, want %q (%v)", test.name, test.line, got, want, err)
				}
			}
		})
	}
}

// place is a directory with the script, a program leadsync in bin, a file and a directory.
func place(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	script, err := shell.Script(name)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{"bin", "box"} {
		if err := os.Mkdir(filepath.Join(dir, made), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"script": script, "leadsync.env": "", "bundle.txt": "", "bin/leadsync": "#!/bin/sh\nLEADSYNC_TEST_SHELL=1 exec '" + self + "' \"$@\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
