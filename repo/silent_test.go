package repo_test

import (
	"context"
	"errors"
	"net"
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

// The driver looks at no context while it logs in: our calls do.
func TestCallsEndWhereTheServerIsSilent(t *testing.T) {
	t.Parallel()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlserver://sa:p@" + silentServer(t) + "?database=oktell&encrypt=disable", Lazy: true, AnswerLimit: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for name, call := range map[string]func(context.Context) error{
		"a list":        func(ctx context.Context) error { _, err := db.Portals(ctx); return err },
		"one row":       func(ctx context.Context) error { _, _, err := db.Portal(ctx, "m"); return err },
		"a write":       func(ctx context.Context) error { return db.SavePortal(ctx, leads.Portal{MemberID: "m"}) },
		"a ping":        db.Ping,
		"a look-up":     func(ctx context.Context) error { _, err := db.Callers(ctx, "3433456789", 5); return err },
		"migrations":    func(ctx context.Context) error { _, err := db.MigrationPlan(ctx); return err },
		"rows together": func(ctx context.Context) error { _, _, err := db.Row(ctx, leads.Ref{MemberID: "m", LeadID: 1}); return err },
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
