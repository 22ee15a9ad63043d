package repo // tests how a blocked transaction finds out who blocks it

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
)

// lockedServer is a server on which every statement waits for a lock until it is told to fail, and
// that says who holds it.
type lockedServer struct {
	seen bool          // the login may see other sessions
	fail chan struct{} // closed when the wait for the lock ends
}

func (l lockedServer) Connect(context.Context) (driver.Conn, error) {
	return lockedConn{muteConn{}, l}, nil
}
func (l lockedServer) Driver() driver.Driver { return nil }

type lockedConn struct {
	muteConn
	server lockedServer
}

func (c lockedConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c, nil }

func (c lockedConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	select {
	case <-c.server.fail:
		return nil, mssql.Error{Number: 1222, Class: 16, Message: "Lock request time out period exceeded."}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c lockedConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &blockerRow{seen: c.server.seen}, nil
}

type blockerRow struct{ seen, read bool }

func (r *blockerRow) Columns() []string { return make([]string, 10) }
func (r *blockerRow) Close() error      { return nil }

func (r *blockerRow) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	copy(dest, []driver.Value{int64(0), int64(0), "", "", "", "", int64(0), int64(0), int64(0), int64(0)})
	if r.seen {
		copy(dest, []driver.Value{int64(1), int64(53), `CC\ivan`, "PC-17", "Management Studio", "sleeping", int64(1), int64(60), int64(50), int64(0)})
	}
	return nil
}

func TestBlockedTransactionsSayByWhom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		seen bool
		want string
	}{
		{"a login that may see", true, "session 53 holds the lock"},
		{"one that may not", false, "lacks the right VIEW SERVER STATE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := lockedServer{c.seen, make(chan struct{})}
			pool := sql.OpenDB(server)
			defer pool.Close()
			l := limitsOf(time.Minute)
			l.lock = 60 * time.Millisecond // after 10 ms the transaction asks
			db := &DB{dialect: sqlServerDialect(), read: pool, write: pool, limits: l, now: time.Now, log: slog.New(slog.DiscardHandler)}
			done := make(chan error, 1)
			go func() {
				done <- db.transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "UPDATE t SET a = 1")
					return err
				})
			}()
			for !strings.Contains(db.Problem(), c.want) {
				select {
				case err := <-done:
					t.Fatalf("it ended before anybody knew who blocks it: %v", err)
				case <-time.After(time.Millisecond):
				}
			}
			close(server.fail) // from here each attempt fails at once
			err := <-done
			if err == nil || !strings.Contains(err.Error(), "another session has held a lock for too long") {
				t.Errorf("error %v", err)
			}
			if problem := db.Problem(); problem != "" {
				t.Errorf("afterwards there is a problem still: %s", problem)
			}
		})
	}
}

// The first attempt's words must not be lost, and an answer that comes late must not stay.
func TestWatchesEnd(t *testing.T) {
	t.Parallel()
	db := &DB{}
	w := &watch{db: db, timer: time.NewTimer(time.Hour)}
	db.trouble.block(w, "session 53 holds the lock")
	words := "session 53 holds the lock"
	w.found.Store(&words)
	if err := w.name(mssql.Error{Number: 1222}); !strings.Contains(err.Error(), words) {
		t.Errorf("error %v", err)
	}
	db.trouble.block(w, words)
	if problem := db.Problem(); problem != "" {
		t.Errorf("a watch that has ended says %q", problem)
	}
}
