package main

import (
	"context"
	"net"
	"strings"
	"testing"

	"leadsync/leads/leadstest"
)

// silence accepts connections and answers nobody.
func silence(t *testing.T) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return listener.Addr().String()
}

// until ends a command as soon as it has written some words.
type until struct {
	leadstest.Log

	words string
	stop  func()
}

func (u *until) Write(text []byte) (int, error) {
	if strings.Contains(string(text), u.words) {
		u.stop()
	}
	return u.Log.Write(text)
}

// A command that waits for a database says so.
func TestCommandsSayWhatTakesLong(t *testing.T) {
	t.Parallel()
	address := silence(t)
	for line, words := range map[string]string{
		"migrate": "Connecting to the database, ", "portals": "Connecting to the database, ", "lookup +79123456789": "Connecting to the database, ",
		"why company.bitrix24.ru/17": "Connecting to the database, ", "portals claim company.bitrix24.ru": "Connecting to the database, ",
		"reconcile": "Connecting to the database and NATS, ", "republish": "Connecting to the database and NATS, ", "dead replay": "Connecting to the database and NATS, ",
		"doctor": "Looking at: ", "init --yes --database sqlserver://sa:p@" + address + "?database=d&dial+timeout=60&connection+timeout=60 --output none.env": "Trying the database, ",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			errs := &until{words: words, stop: stop}
			vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_NATS_URL": "nats://" + address, "LEADSYNC_DATABASE_URL": "sqlserver://sa:p@" + address + "?database=d&dial+timeout=60&connection+timeout=60"}
			code := run(ctx, strings.Fields(line), around(vars, &leadstest.Log{}, errs))
			if code == exitOK || !strings.Contains(errs.String(), words) {
				t.Errorf("exit %d: %s", code, errs.String())
			}
		})
	}
}

// With --json a command prints nothing else; every command that has the flag.
func TestJSONSwitchesProgressOff(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"reconcile"}, {"republish"}, {"doctor"}, {"dead", "replay"}, {"portals", "claim", "p"}, {"backup", "d"}} {
		for _, json := range []bool{false, true} {
			line := args
			if json {
				line = append(append([]string{}, args...), "--json")
			}
			command, err := parserOf(t).Parse(line)
			if err != nil || wantsJSON(command) != json {
				t.Errorf("%v: %v, %v", line, wantsJSON(command), err)
			}
		}
	}
}
