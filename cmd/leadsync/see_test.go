package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/guide"
)

// What a person has to act on leads to the heading that says what to do: errors of commands, and /readyz.
func TestErrorsLeadToThePage(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy, missing := taken.Addr().String(), t.TempDir()
	quiet := func(name, value string) map[string]string {
		vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", "LEADSYNC_NATS_LISTEN": "127.0.0.1:0"}
		vars[name] = value
		return vars
	}
	for _, c := range []struct {
		name    string
		vars    map[string]string
		command string
		heading guide.Heading
	}{
		{"a wrong setting", quiet("LEADSYNC_RECONCILE_AT", "noon"), "serve", guide.Settings},
		{"a taken port", quiet("LEADSYNC_HTTP_ADDR", busy), "serve", guide.Port},
		{"the operators' port", quiet("LEADSYNC_ADMIN_ADDR", busy), "serve", guide.Port},
		{"NATS' port", quiet("LEADSYNC_NATS_LISTEN", busy), "serve", guide.Port},
		{"a silent server", quiet("LEADSYNC_DATABASE_URL", "sqlserver://u:p@127.0.0.1:1?database=d&dial+timeout=1"), "lookup +79123456789", guide.DatabaseDown},
		{"a typing mistake", quiet("LEADSYNC_DATA_DIR", missing), "lookup x", ""},
	} {
		code, _, stderr := command(t.Context(), t, c.vars, strings.Fields(c.command)...)
		_, see, found := strings.Cut(stderr, "\nSee ")
		if code == exitOK || found != (c.heading != "") || strings.TrimSpace(see) != c.heading.String() {
			t.Errorf("%s: exit %d, want %q: %s", c.name, code, c.heading, stderr)
		}
	}
}

func TestReadyzAndLogLeadToThePage(t *testing.T) {
	t.Parallel()
	p, err := emulator.Start(emulator.Config{Leads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	s := launchServe(t, p, map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://u:p@127.0.0.1:1?database=d&dial+timeout=1", "LEADSYNC_SECRET_KEY": ""}, func(ctx context.Context, s *testServer) int {
		return run(ctx, []string{"serve"}, around(s.vars, s.log, s.log))
	})
	eventually(t, "the database is reported", func() bool { return strings.Contains(s.body(t, "/readyz"), "(see "+guide.Database.String()+")") })
	eventually(t, "the log leads there", func() bool { return strings.Contains(s.log.String(), guide.NoKey.String()) })
}
