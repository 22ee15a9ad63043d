package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"leadsync/events/eventstest"

	"leadsync/demo"
	"leadsync/leads/leadstest"

	"go.uber.org/goleak"
)

// mainRole is the variable that makes this binary leadsync itself, for shells that tests start.
const mainRole = "LEADSYNC_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainRole) != "" {
		os.Exit(run(context.Background(), os.Args[1:], surroundings{environment: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
	}
	leadstest.SideBySide(10)
	debug.SetGCPercent(400) // tests have little memory in use, so that garbage collection would run all the time
	goleak.VerifyTestMain(m, eventstest.Goroutines()...)
}

// environmentOf is the environment of a test: these variables and no others.
func environmentOf(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

// around is what a process of a test finds around it: these variables, and no settings file.
func around(vars map[string]string, stdout, stderr io.Writer) surroundings {
	s := surroundings{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr}
	for name, value := range vars {
		s.environment = append(s.environment, name+"="+value)
	}
	return s
}

// command runs leadsync to its end.
func command(ctx context.Context, t *testing.T, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs leadstest.Log
	code = run(ctx, args, around(vars, &out, &errs))
	return code, out.String(), errs.String()
}

func TestWrongUsageIsExplained(t *testing.T) {
	tests := []struct {
		name string
		args []string
		vars map[string]string
		want []string // on stderr
	}{
		{"no such command", []string{"servce"}, nil, []string{`did you mean one of "serve"`, "leadsync --help"}},
		{"no such command of a group", []string{"service", "begin"}, nil, []string{"there is no command leadsync service begin, want one of install, uninstall, start, stop, status\n", "Try: leadsync service --help"}},
		{"a group's command of another program", []string{"reconcile", "list"}, nil, []string{"there is no command leadsync reconcile list, want one of pass, history, findings", "Try: leadsync reconcile --help"}},
		{"a word after a command", []string{"portals", "list", "all"}, nil, []string{"unexpected argument all", "Try: leadsync portals list --help"}},
		{"an argument that is missing", []string{"lookup"}, nil, []string{"<phone>", "Try: leadsync lookup --help"}},
		{"status", []string{"status"}, nil, []string{"there is no command status: `leadsync doctor`", "`leadsync portals`", "Try: leadsync --help"}},
		{"status behind a file", []string{"--config", "none", "status"}, nil, []string{"there is no command status: `leadsync doctor`"}},
		{"help for status", []string{"help", "status"}, nil, []string{"there is no command status: `leadsync doctor`"}},
		{"a word like a command that is something else", []string{"lead"}, nil, []string{"there is no command lead: `leadsync why PORTAL/LEAD`"}},
		{"an unknown flag", []string{"serve", "--fast"}, nil, []string{"--fast"}},
		{"a fraction above one", []string{"demo", "--lose", "5"}, nil, []string{"--lose is a fraction from 0 to 1"}},
		{"every faulty variable at once", []string{"serve"}, map[string]string{
			"LEADSYNC_HTTP_ADDR": "8080", "LEADSYNC_DATABASE_URL": "mysql://x", "LEADSYNC_SECRET_KEY": "short",
			"LEADSYNC_RECONCILE_AT": "25:00", "LEADSYNC_PUBLIC_URL": "https://localhost", "LEADSYNC_NATS_URL": "http://x",
			"LEADSYNC_B24_WEBHOOK_URL": "https://p.bitrix24.com/rest/1/abc/", "LEADSYNC_LOG_LEVEL": "loud",
		}, []string{
			"LEADSYNC_HTTP_ADDR", "host:port", "LEADSYNC_DATABASE_URL", "sqlserver://", "LEADSYNC_SECRET_KEY", "openssl rand -base64 32",
			"LEADSYNC_RECONCILE_AT", "03:00", "LEADSYNC_PUBLIC_URL", "LEADSYNC_NATS_URL", "LEADSYNC_B24_APPLICATION_TOKEN", "LEADSYNC_LOG_LEVEL",
		}},
		{"settings that need each other", []string{"serve"}, map[string]string{
			"LEADSYNC_B24_CLIENT_ID": "local.1", "LEADSYNC_B24_MEMBER_ID": "abc", "LEADSYNC_NATS_USER": "leadsync",
			"LEADSYNC_NATS_SUBSCRIBERS": "Billing:short",
		}, []string{"LEADSYNC_B24_CLIENT_SECRET", "LEADSYNC_B24_WEBHOOK_URL", "LEADSYNC_NATS_PASSWORD", "LEADSYNC_NATS_SUBSCRIBERS: an entry is not a subscriber"}},
		{"an invalid country and a short token", []string{"serve"}, map[string]string{
			"LEADSYNC_PHONE_REGION": "Russia", "LEADSYNC_API_TOKEN": "hunter2",
		}, []string{"LEADSYNC_PHONE_REGION: unknown country", "LEADSYNC_API_TOKEN", "at least 16"}},
		{"an operators' face that anybody could enter", []string{"serve"}, map[string]string{
			"LEADSYNC_ADMIN_ADDR": ":8081", "LEADSYNC_ADMIN_TRUST_HEADER": "X-Remote-User", "LEADSYNC_API_TOKEN": "one-token-for-everything", "LEADSYNC_CARD_TOKEN": "one-token-for-everything",
			"LEADSYNC_OPERATOR_TOKEN": "hunter2", "LEADSYNC_PUBLIC_API": "yes",
		}, []string{
			"LEADSYNC_ADMIN_TRUST_HEADER: set while others can reach", "LEADSYNC_CARD_TOKEN: the same as LEADSYNC_API_TOKEN", "LEADSYNC_OPERATOR_TOKEN: not a token", "LEADSYNC_PUBLIC_API: unknown value, want on or off",
		}},
		{"names without a proxy", []string{"serve"}, map[string]string{"LEADSYNC_ADMIN_OPERATORS": "anna", "LEADSYNC_ADMIN_ADDR": "unix:admin.sock"}, []string{
			"LEADSYNC_ADMIN_OPERATORS: set without LEADSYNC_ADMIN_TRUST_HEADER", "LEADSYNC_ADMIN_ADDR: not the path of a socket",
		}},
		{"a header that is none", []string{"serve"}, map[string]string{"LEADSYNC_ADMIN_TRUST_HEADER": "X Remote:"}, []string{"LEADSYNC_ADMIN_TRUST_HEADER: not a name of a header"}},
		{"a schema that is none", []string{"serve"}, map[string]string{
			"LEADSYNC_DATABASE_URL": "sqlserver://h:1433?database=d", "LEADSYNC_DATABASE_SCHEMA": "a]b",
		}, []string{"LEADSYNC_DATABASE_SCHEMA: not a name of a schema"}},
		{"a schema without a server", []string{"serve"}, map[string]string{"LEADSYNC_DATABASE_SCHEMA": "crm"}, []string{"LEADSYNC_DATABASE_SCHEMA: set for a SQLite database"}},
		{"hosts and tokens that are none", []string{"serve"}, map[string]string{
			"LEADSYNC_B24_AUTH_HOSTS": "https://oauth.bitrix24.info", "LEADSYNC_B24_APPLICATION_TOKEN": " , ,",
		}, []string{"LEADSYNC_B24_AUTH_HOSTS: an entry is not the name of a host", "LEADSYNC_B24_APPLICATION_TOKEN: not a list of tokens"}},
		{"an address for a portal's host", []string{"portals", "add", "--member-id", "a223c6b3710f85df22e9377d6c4f7553", "--domain", "company.bitrix24.com/crm"}, nil, []string{"--domain takes the portal's host name"}},
		{"a fraction that is not a number", []string{"demo", "--lose", "NaN"}, nil, []string{"--lose is a fraction"}},
		{"a database without a name", []string{"migrate"}, map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:p@h:1433"}, []string{"no database name"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, _, stderr := command(t.Context(), t, test.vars, test.args...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr does not mention %q:\n%s", want, stderr)
				}
			}
		})
	}
}

// Arguments that end before the command ask what there is.
func TestGroupsAlonePrintTheirHelp(t *testing.T) {
	for args, want := range map[string]string{"": "Usage: leadsync <command>", "--config none": "Usage: leadsync <command>", "service": "Usage: leadsync service <command>"} {
		code, stdout, stderr := command(t.Context(), t, nil, strings.Fields(args)...)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, want) || !strings.Contains(stdout, "\nCommands:\n") {
			t.Errorf("%q: exit code %d, %q\n%s", args, code, stderr, stdout)
		}
	}
}

func TestHabitsOfOtherProgramsWork(t *testing.T) {
	for args, want := range map[string]string{
		"--version": "leadsync ", "-v": "leadsync ", "-V": "leadsync ",
		"help": "Usage: leadsync <command>", "-?": "Usage: leadsync <command>", "/?": "Usage: leadsync <command>", "-help": "Usage: leadsync <command>", "help serve": "Usage: leadsync serve",
	} {
		code, stdout, stderr := command(t.Context(), t, nil, strings.Fields(args)...)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, want) {
			t.Errorf("%q: exit code %d, %q\n%s", args, code, stderr, stdout)
		}
	}
}

// Commands of other programs that have none here name commands that there are.
func TestHabitsAreToldTheCommandsThereAre(t *testing.T) {
	named := regexp.MustCompile("`leadsync ([^`]*)`")
	for _, h := range habits {
		calls := named.FindAllStringSubmatch(h.here, -1)
		if len(calls) == 0 {
			t.Errorf("%s: no command is named", h.words)
		}
		for _, call := range calls {
			args := strings.Fields(strings.NewReplacer("PORTAL", "company.bitrix24.com", "LEAD", "17", "PHONE", "+79123456789").Replace(call[1]))
			if _, err := parserOf(t).Parse(args); err != nil && !slices.Contains([]string{"portals add"}, call[1]) { // which needs flags
				t.Errorf("%s: %q: %v", h.words, call[1], err)
			}
		}
		for word := range strings.FieldsSeq(h.words) {
			code, stdout, stderr := command(t.Context(), t, nil, word)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, "there is no command "+word+": "+h.here) {
				t.Errorf("%s: exit code %d, %s%s", word, code, stdout, stderr)
			}
		}
	}
}

func TestConfigErrorsNeverPrintValues(t *testing.T) {
	_, _, stderr := command(t.Context(), t, map[string]string{
		"LEADSYNC_DATABASE_URL": "sqlserver://sa:hunter2@:", "LEADSYNC_SECRET_KEY": "hunter2", "LEADSYNC_B24_WEBHOOK_URL": "ftp://hunter2",
		"LEADSYNC_API_TOKEN": "hunter2", "LEADSYNC_PHONE_REGION": "hunter2",
	}, "serve")
	if strings.Contains(stderr, "hunter2") {
		t.Errorf("a secret is printed:\n%s", stderr)
	}
}

func TestUnreachableServersAreNamed(t *testing.T) {
	tests := []struct{ name, command, variable, value, want string }{
		{"database", "migrate", "LEADSYNC_DATABASE_URL", "sqlserver://sa:hunter2@127.0.0.1:1?database=oktell&dial+timeout=1", "127.0.0.1:1"},
		{"NATS", "watch", "LEADSYNC_NATS_URL", "nats://user:hunter2@127.0.0.1:1", "nats://127.0.0.1:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", test.variable: test.value}
			code, _, stderr := command(t.Context(), t, vars, test.command)
			if code != exitFailure || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "hunter2") || strings.Contains(stderr, "goroutine") {
				t.Errorf("exit %d:\n%s", code, stderr)
			}
		})
	}
}

func TestDemoEndsEqual(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command(t.Context(), t, map[string]string{"LEADSYNC_DATA_DIR": "/nonexistent"},
		"demo", "--leads", "300", "--for", "3s", "--changes", "30", "--lose", "0.3", "--json")
	var r demo.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q; stderr %s", err, stdout, stderr)
	}
	if code != exitOK || r.Differences != 0 {
		t.Errorf("exit %d, %d differences\n%s", code, r.Differences, stderr)
	}
	if r.PortalLeads != r.MirrorLeads || r.PortalLeads < 250 {
		t.Errorf("%d leads in the portal, %d in the mirror", r.PortalLeads, r.MirrorLeads)
	}
	if r.CallbacksLost == 0 || r.MissedFound == 0 || r.MissedRepaired < r.MissedFound {
		t.Errorf("%d callbacks lost, %d misses found, %d repaired", r.CallbacksLost, r.MissedFound, r.MissedRepaired)
	}
	if written := r.Inserted + r.Updated + r.Deleted; r.TopicMessages < r.PortalLeads || r.TopicMessages > written {
		t.Errorf("%d messages for %d writes of %d leads", r.TopicMessages, written, r.PortalLeads)
	}
}

func TestDemoWithoutReconciliationFails(t *testing.T) {
	t.Parallel()
	code, stdout, _ := command(t.Context(), t, nil,
		"demo", "--leads", "100", "--for", "2s", "--changes", "30", "--lose", "0.9", "--no-reconcile", "--json")
	var r demo.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if code != exitFailure || r.Differences == 0 {
		t.Errorf("exit %d, %d differences; lost callbacks were not missed", code, r.Differences)
	}
}

func TestDemoKeepsDataInTheGivenDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, stdout, stderr := command(t.Context(), t, nil, "demo", "--leads", "20", "--for", "0s", "--data", dir)
	if code != exitOK || !strings.Contains(stdout, "portal and mirror are equal") || !strings.Contains(stdout, dir) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr = command(t.Context(), t, nil, "demo", "--data", dir); code != exitUsage || !strings.Contains(stderr, "not empty") {
		t.Errorf("a directory in use is taken: exit %d, %s", code, stderr)
	}
}
