package winservice

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyAdministratorsAndTheServiceReachItsFiles(t *testing.T) {
	p := PlacesBelow("ProgramData")
	entry := regexp.MustCompile(`\(([^)]*)\)`)
	got := map[string]map[string]string{}
	for _, a := range p.accesses("S-1-5-80-1") {
		if !strings.HasPrefix(a.dacl, "D:P(") {
			t.Errorf("%s: %s takes over what the directory above allows", a.path, a.dacl)
		}
		got[a.path] = map[string]string{}
		for _, e := range entry.FindAllStringSubmatch(a.dacl, -1) {
			f := strings.Split(e[1], ";")
			if len(f) != 6 || f[0] != "A" || f[1] != "OICI" {
				t.Errorf("%s: entry %s, want one that allows and is handed on", a.path, e[1])
				continue
			}
			got[a.path][f[5]] = f[2]
		}
	}
	read := map[string]string{"SY": "FA", "BA": "FA", "S-1-5-80-1": "0x1200a9"}
	modify := map[string]string{"SY": "FA", "BA": "FA", "S-1-5-80-1": "0x1301bf"}
	if diff := cmp.Diff(map[string]map[string]string{p.Root: read, p.Data: modify, p.Logs: modify}, got); diff != "" {
		t.Error(diff)
	}
	if filepath.Dir(p.Settings) != p.Root {
		t.Errorf("the settings %s are not in %s, where the service only reads", p.Settings, p.Root)
	}
}

func TestInstallationsThatCannotWork(t *testing.T) {
	good := Installation{Binary: `C:\Program Files\leadsync\leadsync.exe`, Profiles: `C:\Users`, Account: VirtualAccount}
	for name, c := range map[string]struct {
		change func(*Installation)
		want   string // "" where it works
	}{
		"virtual account":                {func(*Installation) {}, ""},
		"managed account":                {func(i *Installation) { i.Account = `HOUSE\leadsync$` }, ""},
		"user":                           {func(i *Installation) { i.Account, i.Password = `HOUSE\leadsync`, "p" }, ""},
		"system":                         {func(i *Installation) { i.Account = `NT AUTHORITY\NetworkService` }, ""},
		"user without a password":        {func(i *Installation) { i.Account = `HOUSE\leadsync` }, "--password-file"},
		"password for a virtual account": {func(i *Installation) { i.Password = "p" }, "--password-file"},
		"no account":                     {func(i *Installation) { i.Account = "" }, "--account"},
		"in downloads":                   {func(i *Installation) { i.Binary = `c:\users\Anna\Downloads\leadsync.exe` }, "user's directory"},
		"in downloads, slashes":          {func(i *Installation) { i.Binary = `C:/Users/Anna/leadsync.exe` }, "user's directory"},
		"a directory called alike":       {func(i *Installation) { i.Binary = `C:\Userspace\leadsync.exe` }, ""},
	} {
		i := good
		c.change(&i)
		err := errors.Join(i.CheckPlace(), i.CheckAccount())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestOtherSystemsSaySo(t *testing.T) {
	if _, _, err := State(); os.PathSeparator == '/' && !errors.Is(err, ErrNotWindows) {
		t.Errorf("%v, want %v", err, ErrNotWindows)
	}
}

// eventLog keeps what would be in Windows' event log.
type eventLog struct{ lines []string }

func (e *eventLog) Info(_ uint32, m string) error    { return e.add("info", m) }
func (e *eventLog) Warning(_ uint32, m string) error { return e.add("warning", m) }
func (e *eventLog) Error(_ uint32, m string) error   { return e.add("error", m) }

func (e *eventLog) add(level, m string) error {
	e.lines = append(e.lines, level+" "+strings.ReplaceAll(m, "\r\n", "|"))
	return nil
}

func TestWarningsAndErrorsAreEvents(t *testing.T) {
	var file bytes.Buffer
	var windows eventLog
	l := Log{File: &file, events: &windows}
	log := slog.New(l.Handler(slog.NewTextHandler(&file, nil))).With("portal", "a223")
	log.Debug("not in force")
	log.Info("portal authorized")
	log.Warn("callback refused", "reason", "wrong_token")
	log.WithGroup("nats").Error("connection lost", "error", errors.New("refused\x00"), slog.Group("at", "host", "h"))
	log.Error("long", "error", strings.Repeat("ё", eventLimit))
	want := []string{
		"warning callback refused|portal: a223|reason: wrong_token",
		"error connection lost|portal: a223|nats.error: refused|nats.at: [host=h]",
	}
	if len(windows.lines) != 3 {
		t.Fatalf("%d events, want 3: %q", len(windows.lines), windows.lines)
	}
	if diff := cmp.Diff(want, windows.lines[:2]); diff != "" {
		t.Error(diff)
	}
	if long := windows.lines[2]; len(long) > eventLimit+10 || !strings.HasSuffix(long, "ё") {
		t.Errorf("a long event has %d bytes and ends in %q", len(long), long[len(long)-3:])
	}
	if n := strings.Count(file.String(), "\n"); n != 4 {
		t.Errorf("the file has %d lines, want 4", n)
	}
}

func TestLogFilesAreRenamedWhenTheyAreFull(t *testing.T) {
	p := PlacesBelow(t.TempDir())
	log := NewLogFile(p.LogFile())
	t.Cleanup(func() { _ = log.Close() }) // also where the test ends early: Windows removes no folder with an open file
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range logMiB + 1 {
		if _, err := log.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(p.Logs, "leadsync*"))
	if err != nil || len(files) != 2 || !strings.HasSuffix(files[0], ".log.gz") { // Close waits for the compression
		t.Errorf("files %q, want the full one compressed, too (%v)", files, err)
	}
	info, err := os.Stat(p.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != 1<<20 {
		t.Errorf("the new file has %d bytes, want the last line alone", info.Size())
	}
}
