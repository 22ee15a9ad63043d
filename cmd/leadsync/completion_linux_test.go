package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// Somebody does what docs/commands.md says, opens a shell in a terminal, types and presses the tab key.
func TestTabKeyCompletes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: shells in terminals of their own")
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, before := range map[string]string{
		"bash": "echo \"PS1='ready> '\" >.bashrc",
		"zsh":  "echo \"PS1='ready> '; autoload -Uz compinit; compinit -u\" >.zshrc",
		"fish": "mkdir -p .config/fish/completions; echo 'function fish_prompt; echo -n \"ready> \"; end' >.config/fish/config.fish", // fish makes the directory when it is opened first
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words := regexp.MustCompile("`(leadsync completion " + name + " >[^`]+)`").FindSubmatch(page)
			if words == nil {
				t.Fatal("docs/commands.md does not say how to do it")
			}
			pressTab(t, name, before+"\n"+string(words[1]), typed...)
		})
		t.Run(name+" of a package", func(t *testing.T) {
			t.Parallel()
			pressTab(t, name, before+"\n"+packaged[name], keystrokes{"a command", "leadsync reco", "[reconcile]"})
		})
	}
}

// packaged puts the script where the packages do, below a directory in place of /usr/share, and has the shell look there.
var packaged = map[string]string{
	"bash": `[ -f /usr/share/bash-completion/bash_completion ] || { echo bash-completion is not installed; exit 77; }
		mkdir -p bash-completion/completions; leadsync completion bash >bash-completion/completions/leadsync
		echo "XDG_DATA_DIRS=$HOME; . /usr/share/bash-completion/bash_completion" >>.bashrc`,
	"zsh": `mkdir -p zsh/vendor-completions; leadsync completion zsh >zsh/vendor-completions/_leadsync
		{ echo 'fpath=($HOME/zsh/vendor-completions $fpath)'; cat .zshrc; } >changed; mv changed .zshrc`,
	"fish": `mkdir -p fish/vendor_completions.d; leadsync completion fish >fish/vendor_completions.d/leadsync.fish
		echo 'set -p fish_complete_path $HOME/fish/vendor_completions.d' >>.config/fish/config.fish`,
}

// The directories of packaged are those of the packages.
func TestPackagesHaveScripts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bin/shell/leadsync.bash, dst: /usr/share/bash-completion/completions/leadsync,",
		"bin/shell/leadsync.zsh, dst: /usr/share/zsh/vendor-completions/_leadsync, packager: deb,",
		"bin/shell/leadsync.zsh, dst: /usr/share/zsh/site-functions/_leadsync, packager: rpm,",
		"bin/shell/leadsync.fish, dst: /usr/share/fish/vendor_completions.d/leadsync.fish,",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no package has %s", want)
		}
	}
}

type keystrokes struct{ name, line, want string }

// typed are lines that end with the tab key, and what leadsync is started with when the enter key follows.
var typed = []keystrokes{
	{"a path of the program", "~/bin/leadsync reco", "[reconcile]"},
	{"a command behind help", "leadsync help reco", "[help][reconcile]"},
	{"a flag", "leadsync reconcile --dr", "[reconcile][--dry-run]"},
	{"a flag's value in the same word", "leadsync init --lang=r", "[init][--lang=ru]"},
	{"a file", "leadsync --config se", "[--config][se ttings.env]"},
	{"a file in the same word", "leadsync --config=se", "[--config=se ttings.env]"},
	{"a file below the home directory", "leadsync --config ~/se", "[--config][HOME/se ttings.env]"},
	{"a directory", "leadsync backup dir", "[backup][directory]"},
	{"a portal in the same word", "leadsync reconcile --portal=comp", "[reconcile][--portal=company.bitrix24.ru]"},
}

func pressTab(t *testing.T, name, before string, typed ...keystrokes) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(name + " is not installed")
	}
	home := homeOf(t)
	cmd := exec.Command("sh", "-e", "-c", before)
	cmd.Dir, cmd.Env = home, environmentAt(home)
	switch out, err := cmd.CombinedOutput(); {
	case cmd.ProcessState.ExitCode() == 77:
		t.Skip(string(out))
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
	s := openTerminal(t, home, name)
	for _, test := range typed {
		s.line(test.line+"\t", "\r")
		got := strings.ReplaceAll(strings.ReplaceAll(s.started(), home, "HOME"), "/]", "]") // zsh takes the slash away at the enter key
		if got != test.want {
			t.Errorf("%s: %q and the tab key start %s, want %s", test.name, test.line, got, test.want)
		}
	}
	s.line("leadsync init --lang \t\t")
	s.shows("ru")
	if strings.Contains(s.text(), "--\r") || strings.Contains(s.text(), " -- ") { // zsh's mark of a description
		t.Errorf("a list of values without descriptions: %q", s.text())
	}
}

// homeOf is a home directory with a file, a directory, a portal and a program leadsync that notes what it is started with.
func homeOf(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"bin", "directory", "data"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	program := fmt.Sprintf("#!/bin/sh\ncase $1 in __complete | completion) [ \"$2\" = powershell ] || %s=1 exec '%s' \"$@\";; esac\nprintf '[%%s]' \"$@\" >>'%s/started'; echo >>'%[3]s/started'\n", mainRole, self, home)
	for file, text := range map[string]string{"bin/leadsync": program, "se ttings.env": ""} {
		if err := os.WriteFile(filepath.Join(home, file), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(home, "data", "leadsync.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.SavePortal(t.Context(), leads.Portal{MemberID: strings.Repeat("a", 32), Domain: "company.bitrix24.ru", State: leads.PortalActive, UpdatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return home
}

func environmentAt(home string) []string {
	return []string{"HOME=" + home, "PATH=" + filepath.Join(home, "bin") + ":" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8", "LEADSYNC_DATA_DIR=" + filepath.Join(home, "data")}
}

// terminal is a shell in a pseudo-terminal.
type terminal struct {
	t      *testing.T
	keys   *os.File
	screen *leadstest.Log
	seen   int // how much of the screen was there before the line
	log    string
	lines  int
}

func openTerminal(t *testing.T, home, shell string) *terminal {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo-terminals: %v", err)
	}
	fd := int(keys.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	for _, err := range []error{err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(shell, "-i")
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = home, environmentAt(home), tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	s := &terminal{t: t, keys: keys, screen: &leadstest.Log{}, log: filepath.Join(home, "started")}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = keys.WriteTo(s.screen)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-read
		_ = keys.Close()
	})
	s.shows("ready> ")
	return s
}

// line presses keys, at the beginning of a line.
func (s *terminal) line(keys ...string) {
	s.t.Helper()
	s.seen = len(s.screen.String())
	for _, some := range keys {
		if _, err := s.keys.WriteString(some); err != nil {
			s.t.Fatal(err)
		}
	}
}

// text is what came on the screen since the line began.
func (s *terminal) text() string { return s.screen.String()[s.seen:] }

// shows waits until words are on the screen.
func (s *terminal) shows(words string) {
	s.t.Helper()
	s.until(words, func() bool { return strings.Contains(s.text(), words) })
}

// started waits for the next start of leadsync and returns its arguments.
func (s *terminal) started() (args string) {
	s.t.Helper()
	s.until("a start of leadsync", func() bool {
		log, _ := os.ReadFile(s.log)
		lines := strings.SplitAfter(string(log), "\n")
		if len(lines) < s.lines+2 {
			return false
		}
		args = strings.TrimSpace(lines[s.lines])
		return true
	})
	s.lines++
	return args
}

func (s *terminal) until(what string, done func() bool) {
	s.t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("no %s; the screen: %q", what, s.text())
}
