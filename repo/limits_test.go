package repo // tests limits, which are not exported

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAttemptsShareTheLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		used  time.Duration // when the attempt begins
		tries int           // before it
		want  time.Duration // at least, what it gets
		spent bool          // no attempt may follow
	}{
		{"the first", 0, 0, 59 * time.Second, false},
		{"after a deadlock at once", time.Second, 1, 58 * time.Second, false},
		{"after a first one that took everything", 65 * time.Second, 1, 20 * time.Second, true},
		{"after long waits for locks", 50 * time.Second, 2, 20 * time.Second, false},
	} {
		b := budget{limit: time.Minute, lock: 30 * time.Second, began: time.Now().Add(-c.used), tries: c.tries}
		if got := b.next(); got < c.want || got > time.Minute {
			t.Errorf("%s may take %s, want %s", c.name, got, c.want)
		}
		if b.spent() != c.spent {
			t.Errorf("%s is the last: %v", c.name, b.spent())
		}
	}
	for waited, spent := range map[time.Duration]bool{5 * time.Second: false, 31 * time.Second: true, 65 * time.Second: false} {
		began := time.Now().Add(-waited)
		b := budget{limit: time.Minute, lock: 30 * time.Second, began: began, last: began, tries: 1}
		if b.spent() != spent {
			t.Errorf("after a first attempt of %s there is no second: %v", waited, b.spent())
		}
	}
	if b := (budget{began: time.Now().Add(-time.Hour), tries: 9}); b.next() != 0 || b.spent() {
		t.Error("without a limit there is one")
	}
}

// mute is a server that takes log-ins and transactions, and answers no statement.
type mute struct{ asked *atomic.Int64 }

func (m mute) Connect(context.Context) (driver.Conn, error) { return muteConn(m), nil }
func (m mute) Driver() driver.Driver                        { return nil }

type muteConn struct{ asked *atomic.Int64 }

func (c muteConn) Prepare(string) (driver.Stmt, error)                          { return nil, driver.ErrSkip }
func (c muteConn) Close() error                                                 { return nil }
func (c muteConn) Begin() (driver.Tx, error)                                    { return c, nil }
func (c muteConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c, nil }
func (c muteConn) Commit() error                                                { return nil }
func (c muteConn) Rollback() error                                              { return nil }

func (c muteConn) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	c.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (c muteConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	c.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTransactionsAreGivenUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		asked   int64 // statements: one for each attempt
		doubted bool
	}{
		{"by the limit", func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }, 2, true},
		{"by the caller's shorter limit", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 100*time.Millisecond)
		}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := mute{new(atomic.Int64)}
			pool := sql.OpenDB(server)
			defer pool.Close()
			doubted := false
			limit := 20 * time.Minute
			if c.doubted {
				limit = 500 * time.Millisecond
			}
			l := limitsOf(limit)
			l.lock = time.Hour // nobody asks who blocks
			db := &DB{dialect: sqlServerDialect(), read: pool, write: pool, limits: l, doubt: func() { doubted = true }, now: time.Now, log: slog.New(slog.DiscardHandler)}
			ctx, cancel := c.ctx(t.Context())
			defer cancel()
			err := db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE t SET a = 1")
				return err
			})
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			if got := server.asked.Load(); got != c.asked || doubted != c.doubted {
				t.Errorf("%d attempts, connections doubted: %v; want %d, %v", got, doubted, c.asked, c.doubted)
			}
			if said := strings.Contains(err.Error(), "no answer to the transaction within"); said != c.doubted {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestReadsAreGivenUp(t *testing.T) {
	t.Parallel()
	pool := sql.OpenDB(mute{new(atomic.Int64)})
	defer pool.Close()
	db := &DB{dialect: sqlServerDialect(), read: pool, write: pool, limits: limitsOf(300 * time.Millisecond), now: time.Now, log: slog.New(slog.DiscardHandler)}
	if _, err := db.Portals(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "within 0.3s") && !strings.Contains(err.Error(), "within 300ms") {
		t.Errorf("a read of the live path: %v", err)
	}
	began := time.Now()
	if _, err := db.CountLeads(t.Context(), "m"); !errors.Is(err, ErrUnavailable) || time.Since(began) < 5*300*time.Millisecond {
		t.Errorf("a long read ends after %s: %v", time.Since(began), err)
	}
}

func TestSilenceIsSeenOnTheWire(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	defer there.Close()
	all := newWires()
	w := &wire{Conn: here, all: all, stall: time.Minute}
	all.open[w] = struct{}{}
	l := limitsOf(0)
	later := func(d time.Duration) time.Time { return all.silentSince(time.Now().Add(d), l) }
	if !later(time.Hour).IsZero() {
		t.Error("silent although nothing was asked")
	}
	read := make(chan error, 1)
	go func() {
		_, err := w.Read(make([]byte, 1))
		read <- err
	}()
	for later(16 * time.Second).IsZero() { // until the read waits
		time.Sleep(time.Millisecond)
	}
	if !later(10 * time.Second).IsZero() {
		t.Error("silent after ten seconds already")
	}
	w.expect(true)
	if !later(60*time.Second).IsZero() || later(80*time.Second).IsZero() {
		t.Error("what may take long counts as silent after another time than 75 s")
	}
	if _, err := there.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || !later(time.Hour).IsZero() {
		t.Errorf("after the answer: %v, silent since %s", err, later(time.Hour))
	}
}

// A packet that does not leave ends the connection: the driver looks at no context then.
func TestWritesEnd(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe() // has no buffer, and nobody reads
	defer there.Close()
	time.AfterFunc(time.Minute, func() { _ = there.Close() }) // another error: the test fails and does not hang
	w := &wire{Conn: here, all: newWires(), stall: 50 * time.Millisecond}
	var network net.Error
	if _, err := w.Write([]byte("SELECT 1")); !errors.As(err, &network) || !network.Timeout() {
		t.Errorf("%v, want a time-out", err)
	}
}
