package repo_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// silentServer takes connections and never says a word, as behind a firewall that drops packets.
func silentServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// A server that says nothing is given up without the caller's help, and readiness knows it
// meanwhile.
func TestSilentServersAreGivenUp(t *testing.T) {
	t.Parallel()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlserver://sa:p@" + silentServer(t) + "?database=oktell&encrypt=disable", Lazy: true, AnswerLimit: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	done := make(chan error, 1)
	go func() { done <- db.SavePortal(t.Context(), leads.Portal{MemberID: "m"}) }()
	said := ""
	for {
		select {
		case err := <-done:
			if !errors.Is(err, repo.ErrUnavailable) {
				t.Errorf("given up: %v", err)
			}
			if !strings.HasPrefix(said, "no answer since 20") {
				t.Errorf("meanwhile the database's problem was %q", said)
			}
			if problem := db.Problem(); problem != said {
				t.Errorf("afterwards %q, and nothing has answered since %q", problem, said)
			}
			return
		case <-time.After(10 * time.Millisecond):
			if problem := db.Problem(); problem != "" {
				said = problem
			}
		}
	}
}

// The driver looks at no context while it logs in: our calls do.
func TestCallsEndWhereTheServerIsSilent(t *testing.T) {
	t.Parallel()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlserver://sa:p@" + silentServer(t) + "?database=oktell&encrypt=disable", Lazy: true, AnswerLimit: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for name, call := range map[string]func(context.Context) error{
		"a list":     func(ctx context.Context) error { _, err := db.Portals(ctx); return err },
		"one row":    func(ctx context.Context) error { _, _, err := db.Portal(ctx, "m"); return err },
		"a write":    func(ctx context.Context) error { return db.SavePortal(ctx, leads.Portal{MemberID: "m"}) },
		"a ping":     db.Ping,
		"a look-up":  func(ctx context.Context) error { _, err := db.Callers(ctx, "3433456789", 5); return err },
		"migrations": func(ctx context.Context) error { _, err := db.MigrationPlan(ctx); return err },
		"rows together": func(ctx context.Context) error {
			_, _, err := db.Row(ctx, leads.Ref{MemberID: "m", LeadID: 1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := call(ctx); !errors.Is(err, repo.ErrUnavailable) {
				t.Errorf("after a deadline: %v", err)
			}
			stopped, stop := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, stop)
			if err := call(stopped); !errors.Is(err, context.Canceled) {
				t.Errorf("after a stop: %v", err)
			}
		})
	}
}
