package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads/leadstest"
)

func TestUnknownSettingsEndCommands(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{"serve", "doctor", "config show", "dead list", "watch", "migrate", "healthcheck"} {
		code, _, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATABSE_URL": "sqlserver://sa:hunter2@h?database=d", "LEADSYNC_DATA_DIR": filepath.Join(dir, "data"), "LEADSYNC_KEEP": "1y"}, strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, "LEADSYNC_DATABSE_URL: unknown setting, want LEADSYNC_DATABASE_URL") || !strings.Contains(stderr, "LEADSYNC_KEEP: not a time") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: exit %d, %s", args, code, stderr)
		}
	}
	wantEmpty(t, dir)
}

func TestOwnPathsInThePublicAddressAreRefused(t *testing.T) {
	for value, want := range map[string]string{
		"https://leads.example.com/bitrix24/events":            "it ends in leadsync's own path /bitrix24/events, want https://leads.example.com (",
		"https://a.example.com:8443/x/bitrix24/oauth/callback": "path /bitrix24/oauth/callback, want https://a.example.com:8443/x (",
		"https://a.example.com/bitrix24/oauth/start/":          "path /bitrix24/oauth/start, want https://a.example.com (",
		"https://a.example.com/?x=/bitrix24/events":            "not an address that Bitrix24 can reach",
	} {
		code, _, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_PUBLIC_URL": value}, "config", "show")
		if code != exitUsage || !strings.Contains(stderr, "LEADSYNC_PUBLIC_URL: ") || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", value, code, stderr)
		}
	}
	if code, stdout, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_PUBLIC_URL": "https://a.example.com/bitrix24"}, "config", "show"); code != exitOK {
		t.Errorf("a proxy's own path: exit %d, %s%s", code, stdout, stderr)
	}
}

// configShown runs `leadsync config show --json`.
func configShown(t *testing.T, s surroundings, args ...string) (file string, settings map[string]settingView) {
	t.Helper()
	var out, errs leadstest.Log
	s.stdout, s.stderr = &out, &errs
	if code := run(t.Context(), append(args, "config", "show", "--json"), s); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var answer struct {
		File     string        `json:"file"`
		Settings []settingView `json:"settings"`
	}
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil || strings.Contains(out.String(), "hunter2") {
		t.Fatalf("%v in %s", err, out.String())
	}
	settings = map[string]settingView{}
	for _, v := range answer.Settings {
		settings[v.Name] = v
	}
	return answer.File, settings
}

// Whoever is told that a value is wrong finds the line in which it stands.
func TestWrongValuesSayWhereTheyStand(t *testing.T) {
	dir := t.TempDir()
	key, file, subscribers := filepath.Join(dir, "key"), filepath.Join(dir, "leadsync.env"), filepath.Join(dir, "subscribers")
	for path, text := range map[string]string{
		key: "hunter2", subscribers: "# who reads\nbilling:hunter2\n",
		file: "# a remark\nLEADSYNC_KEEP=1y\nLEADSYNC_KEEPS=1\nLEADSYNC_SECRET_KEY_FILE=" + key + "\nLEADSYNC_B24_CLIENT_SECRET=hunter2\nLEADSYNC_NATS_SUBSCRIBERS=@" + subscribers +
			"\nLEADSYNC_LOG_LEVEL=loud\nLEADSYNC_API_TOKEN_FILE=" + key + ".gone\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var errs leadstest.Log
	s := around(map[string]string{"LEADSYNC_LOG_LEVEL": "louder"}, io.Discard, &errs)
	if code := run(t.Context(), []string{"--config", file, "config", "show"}, s); code != exitUsage || strings.Contains(errs.String(), "hunter2") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{
		file + ":2: LEADSYNC_KEEP: not a time", file + ":3: LEADSYNC_KEEPS: unknown setting", key + ": LEADSYNC_SECRET_KEY: not a key",
		file + ":5: LEADSYNC_B24_CLIENT_ID: set without LEADSYNC_B24_CLIENT_SECRET, or the other way", // the line that is there
		file + ":6: LEADSYNC_NATS_SUBSCRIBERS: an entry is not a subscriber, or a name or a token is there twice (" + subscribers + ":2)",
		file + ":8: LEADSYNC_API_TOKEN_FILE: " + key + ".gone: cannot be read", "\nLEADSYNC_LOG_LEVEL: unknown level", // that of the environment
	} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is missing in\n%s", want, errs.String())
		}
	}
}

func TestConfigShowSaysWhereSettingsComeFrom(t *testing.T) {
	dir := t.TempDir()
	token, file, other := filepath.Join(dir, "token"), filepath.Join(dir, "leadsync.env"), filepath.Join(dir, "other.env")
	for path, text := range map[string]string{
		token: "hunter2-hunter2-hunter2\n", other: "LEADSYNC_KEEP=31d\n",
		file: "LEADSYNC_KEEP=30d\nLEADSYNC_LOG_LEVEL=warn\nLEADSYNC_DATABASE_URL=sqlserver://sa:hunter2@h:1433?database=d\nLEADSYNC_API_TOKEN_FILE=" + token + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := around(map[string]string{"LEADSYNC_LOG_LEVEL": "debug"}, nil, nil)
	s.settings = file
	read, got := configShown(t, s)
	for name, want := range map[string]settingView{
		"LEADSYNC_KEEP":         {"LEADSYNC_KEEP", "30d", file + ":1"},
		"LEADSYNC_LOG_LEVEL":    {"LEADSYNC_LOG_LEVEL", "DEBUG", "environment"},
		"LEADSYNC_API_TOKEN":    {"LEADSYNC_API_TOKEN", "[redacted]", token},
		"LEADSYNC_DATABASE_URL": {"LEADSYNC_DATABASE_URL", "sqlserver://sa:xxxxx@h:1433?database=d", file + ":3"},
		"LEADSYNC_HTTP_ADDR":    {"LEADSYNC_HTTP_ADDR", "127.0.0.1:8080", "default"},
	} {
		if got[name] != want {
			t.Errorf("%+v, want %+v", got[name], want)
		}
	}
	if read != file {
		t.Errorf("%q was read", read)
	}
	if read, got = configShown(t, s, "--config", other); read != other || got["LEADSYNC_KEEP"].Value != "31d" || got["LEADSYNC_DATABASE_URL"].From != "default" {
		t.Errorf("--config reads %q: %+v", read, got["LEADSYNC_KEEP"])
	}
	if read, got = configShown(t, s, "--config=none"); read != "" || got["LEADSYNC_KEEP"].Value != "400d" {
		t.Errorf("--config none reads %q: %+v", read, got["LEADSYNC_KEEP"])
	}
	s.settings = filepath.Join(dir, "nothing.env")
	if read, _ = configShown(t, s); read != "" {
		t.Errorf("a file that is not there: %q was read", read)
	}
	if code, _, stderr := command(t.Context(), t, nil, "--config", s.settings, "config", "show"); code != exitUsage || !strings.Contains(stderr, s.settings+": cannot be read") {
		t.Errorf("a file that --config names and is not there: exit %d, %s", code, stderr)
	}
}

// The time zone of a settings file is that of the process, as that of the environment is.
func TestZoneOfTheSettingsFileIsTaken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leadsync.env")
	if err := os.WriteFile(file, []byte("TZ=Asia/Almaty\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var zone *time.Location
	s := around(nil, nil, nil)
	s.settings, s.zone = file, func(z *time.Location) { zone = z }
	configShown(t, s)
	if zone == nil || zone.String() != "Asia/Almaty" {
		t.Errorf("the zone is %v", zone)
	}
}

// readers are the commands that only read, and those that work on what a service has made.
var readers = []string{
	"dead list", "dead show", "dead replay --lead 1", "dead drop --all", "why p.bitrix24.ru/1", "lookup +79123456789", "portals list", "portals show p.bitrix24.ru", "portals claim p.bitrix24.ru", "portals rebind p.bitrix24.ru", "portals remove p.bitrix24.ru --yes",
	"watch", "watch --portal p.bitrix24.ru", "doctor", "reconcile", "reconcile history", "reconcile findings last", "republish", "healthcheck", "config show", "migrate --plan", "migrate --down --yes",
}

// A command that only reads makes nothing, and says where it looked.
func TestReadersMakeNothing(t *testing.T) {
	empty := t.TempDir()
	missing := filepath.Join(t.TempDir(), "data")
	for _, dir := range []string{empty, missing} {
		for _, args := range readers {
			code, stdout, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATA_DIR": dir, "LEADSYNC_NATS_LISTEN": "127.0.0.1:0", "LEADSYNC_HTTP_ADDR": "127.0.0.1:0"}, strings.Fields(args)...)
			if code == exitUsage || (code == exitOK) != (args == "config show" || args == "migrate --plan") || args != "migrate --plan" && !strings.Contains(stdout+stderr, dir) {
				t.Errorf("%s: exit %d, want one that names %s:\n%s%s", args, code, dir, stdout, stderr)
			}
		}
	}
	wantEmpty(t, empty)
	wantEmpty(t, filepath.Dir(missing))
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%s has %v, %v", dir, entries, err)
	}
}

// Whoever is not the data directory's owner leaves files there that the owner cannot read.
func TestCommandsRunAsTheOwnerOfTheData(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can give a directory away; see service: TestOwnersOfDataDirectories")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop() // what is not refused ends at once
	for _, args := range append(slices.Clone(readers), "serve", "migrate", "portals add --member-id 0123456789abcdef0123456789abcdef --domain p.bitrix24.ru") {
		if args == "config show" { // it does not look there
			continue
		}
		code, _, stderr := command(stopped, t, map[string]string{"LEADSYNC_DATA_DIR": dir, "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", "LEADSYNC_NATS_LISTEN": "127.0.0.1:0"}, strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, "the data directory "+dir+" belongs to the user ") || !strings.Contains(stderr, "run the command as its owner") {
			t.Errorf("%s: exit %d, %s", args, code, stderr)
		}
	}
	wantEmpty(t, dir)
}

// A port that is taken names its setting.
func TestTakenPortsNameTheirSettings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, name := range []string{"LEADSYNC_HTTP_ADDR", "LEADSYNC_ADMIN_ADDR", "LEADSYNC_NATS_LISTEN"} {
		vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", "LEADSYNC_NATS_LISTEN": "127.0.0.1:0"}
		vars[name] = taken.Addr().String()
		code, _, stderr := command(t.Context(), t, vars, "serve")
		if code != exitFailure || !strings.Contains(stderr, "leadsync: "+name+": ") || !strings.Contains(stderr, "cannot listen on "+taken.Addr().String()) {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
	}
	vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_NATS_LISTEN": taken.Addr().String()}
	code, _, stderr := command(t.Context(), t, vars, "portals", "add", "--member-id", "0123456789abcdef0123456789abcdef", "--domain", "p.bitrix24.ru")
	if code != exitFailure || !strings.Contains(stderr, "LEADSYNC_NATS_LISTEN: ") {
		t.Errorf("a command: exit %d, %s", code, stderr)
	}
}

// A settings file with secrets that others can read is reported.
func TestOpenSettingsFilesAreReported(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("access lists decide there")
	}
	dir := t.TempDir()
	s := around(map[string]string{"LEADSYNC_DATA_DIR": dir}, nil, nil)
	s.settings = filepath.Join(dir, "leadsync.env")
	for mode, reported := range map[os.FileMode]bool{0o644: true, 0o600: false} {
		if err := os.WriteFile(s.settings, []byte("LEADSYNC_API_TOKEN=a-token-for-everything\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(s.settings, mode); err != nil {
			t.Fatal(err)
		}
		var out leadstest.Log
		s.stdout, s.stderr = &out, &out
		run(t.Context(), []string{"doctor"}, s)
		if strings.Contains(out.String(), "chmod 600 "+s.settings) != reported {
			t.Errorf("%o: reported is not %v:\n%s", mode, reported, out.String())
		}
	}
}

// serve logs what Bitrix24's form asks for.
func TestServeLogsItsAddresses(t *testing.T) {
	t.Parallel()
	p, err := emulator.Start(emulator.Config{Leads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	s := startServe(t, p, map[string]string{"LEADSYNC_PUBLIC_URL": "https://leads.example.com/x/"})
	for _, want := range []string{"https://leads.example.com/x/bitrix24/events", "https://leads.example.com/x/bitrix24/oauth/callback"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("%s is missing in\n%s", want, s.log)
		}
	}
	const stopped = "leadsync has stopped"
	if strings.Contains(s.log.String(), stopped) {
		t.Error("it says that it has stopped, and runs")
	}
	s.stop()
	if lines := strings.Split(strings.TrimSpace(s.log.String()), "\n"); !strings.Contains(lines[len(lines)-1], stopped) {
		t.Errorf("the last line does not say that it has stopped: %s", lines[len(lines)-1])
	}
}

// A machine is prepared before its database answers, and what its file had is never lost.
func TestInitWritesUntriedAndKeepsEveryFormerFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "leadsync.env")
	var out leadstest.Log
	initialize := func(want int, says string, more ...string) {
		t.Helper()
		s := around(nil, nil, nil)
		s.stdout, s.stderr = &out, &out
		args := append([]string{"init", "--yes", "--output", file, "--data-dir", filepath.Join(dir, "data")}, more...)
		if code := run(t.Context(), args, s); code != want || !strings.Contains(out.String(), says) {
			t.Fatalf("%v: exit %d, want %d and %q in\n%s", more, code, want, says, out.String())
		}
	}
	const down = "sqlserver://sa:p@127.0.0.1:1?database=d"
	initialize(exitFailure, "--skip-checks writes it untried", "--database", down)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Fatalf("it is written: %v", err)
	}
	initialize(exitOK, "Written: "+file, "--database", down, "--skip-checks")
	initialize(exitOK, "the former file is "+file+".old\n", "--database", "sqlite", "--force")
	initialize(exitOK, "the former file is "+file+".old.2\n", "--set", "LEADSYNC_KEEP=40d", "--force")
	for suffix, has := range map[string]string{"": "LEADSYNC_KEEP=40d\n", ".old": down, ".old.2": "LEADSYNC_SECRET_KEY="} {
		text, err := os.ReadFile(file + suffix)
		if err != nil || !strings.Contains(string(text), has) || suffix == ".old.2" && strings.Contains(string(text), "40d") {
			t.Errorf("%s: %v\n%s", suffix, err, text)
		}
	}
}

// What init writes, serve and the other commands read by themselves.
func TestInitWritesWhatCommandsRead(t *testing.T) {
	dir := t.TempDir()
	s := around(nil, nil, nil)
	s.settings = filepath.Join(dir, "leadsync.env")
	var out leadstest.Log
	s.stdout, s.stderr = &out, &out
	if code := run(t.Context(), []string{"init", "--lang", "ru"}, s); code != exitUsage || !strings.Contains(out.String(), "init задаёт вопросы в терминале") {
		t.Errorf("in Russian: exit %d, %s", code, out.String())
	}
	if code := run(t.Context(), []string{"init"}, s); code != exitUsage || !strings.Contains(out.String(), "init asks in a terminal") || !strings.Contains(out.String(), "--yes") {
		t.Fatalf("without a terminal: exit %d, %s", code, out.String())
	}
	args := []string{"init", "--yes", "--data-dir", filepath.Join(dir, "data"), "--portal", "p.bitrix24.ru", "--set", "LEADSYNC_KEEP=40d", "--set", "LEADSYNC_HTTP_ADDR=127.0.0.1:1"}
	if code := run(t.Context(), args, s); code != exitOK || !strings.Contains(out.String(), "Written: "+s.settings) {
		t.Fatalf("exit %d, %s", code, out.String())
	}
	read, got := configShown(t, s)
	if read != s.settings || got["LEADSYNC_KEEP"].Value != "40d" || got["LEADSYNC_HTTP_ADDR"].Value != "127.0.0.1:1" || got["LEADSYNC_B24_PORTALS"].Value != "p.bitrix24.ru" || got["LEADSYNC_SECRET_KEY"].Value != "[redacted]" {
		t.Errorf("%s: %+v", read, got)
	}
	if code := run(t.Context(), args, s); code != exitUsage || !strings.Contains(out.String(), "or replace it with --force") {
		t.Errorf("again: exit %d, %s", code, out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("init makes the data directory: %v", err)
	}
}

// What doctor finds is in the language of the locale; levels, which pages name, stay.
func TestFindingsAreInTheLanguageOfTheLocale(t *testing.T) {
	ends := map[string]string{"ru_RU.UTF-8": "leadsync: что-то не работает: смотрите строки с пометкой «fault»", "en_US.UTF-8": "leadsync: something does not work: see the lines marked «fault»"}
	for locale, want := range map[string]string{"ru_RU.UTF-8": "при первом запуске будет создан файл ", "en_US.UTF-8": "the first start creates "} {
		dir := t.TempDir()
		s := around(map[string]string{"LANG": locale}, nil, nil)
		var out leadstest.Log
		s.stdout, s.stderr = &out, &out
		args := []string{"init", "--yes", "--output", filepath.Join(dir, "leadsync.env"), "--data-dir", filepath.Join(dir, "data")}
		if code := run(t.Context(), args, s); code != exitOK || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "ok  ") {
			t.Errorf("%s: exit %d\n%s", locale, code, out.String())
		}
		s.environment = append(s.environment, "LEADSYNC_DATA_DIR="+dir, "LEADSYNC_DATABASE_URL=sqlserver://sa:p@127.0.0.1:1?database=d&dial+timeout=1")
		if code := run(t.Context(), []string{"doctor"}, s); code == exitOK || !strings.Contains(out.String(), ends[locale]) {
			t.Errorf("%s: doctor: exit %d\n%s", locale, code, out.String())
		}
	}
}
