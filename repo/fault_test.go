package repo // tests which errors are retried, which is not exported

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
)

func TestTransactionsRunAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		fails int // how many attempts fail
		runs  int
		want  error // after all attempts; nil is success
	}{
		{"deadlock victim, twice", mssql.Error{Number: 1205, Class: 13}, 2, 3, nil},
		{"deadlock victim, every time", mssql.Error{Number: 1205, Class: 13}, 99, attempts, ErrUnavailable},
		{"lock time-out", mssql.Error{Number: 1222, Class: 16}, 1, 2, nil},
		{"unique constraint", mssql.Error{Number: 2627, Class: 14}, 1, 2, nil},
		{"unique index", mssql.Error{Number: 2601, Class: 14}, 1, 2, nil},
		{"unique index, every time", mssql.Error{Number: 2601, Class: 14}, 99, attempts, mssql.Error{Number: 2601, Class: 14}},
		{"broken connection", io.ErrUnexpectedEOF, 1, 2, nil},
		{"severity of a lost server", mssql.Error{Number: 596, Class: 21}, 1, 2, nil},
		{"full log", mssql.Error{Number: 9002, Class: 17}, 1, 1, ErrUnavailable},
		{"secondary replica", mssql.Error{Number: 983, Class: 14}, 1, 1, ErrUnavailable},
		{"database in transition", mssql.Error{Number: 952, Class: 16}, 1, 1, ErrUnavailable},
		{"text too long", mssql.Error{Number: 2628, Class: 16}, 1, 1, mssql.Error{Number: 2628, Class: 16}},
		{"missing permission", mssql.Error{Number: 229, Class: 14}, 1, 1, mssql.Error{Number: 229, Class: 14}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			db.dialect.classify = classifySQLServer
			runs := 0
			err = db.transact(t.Context(), func(context.Context, *sql.Tx) error {
				if runs++; runs <= c.fails {
					return fmt.Errorf("statement: %w", c.err)
				}
				return nil
			})
			if runs != c.runs {
				t.Errorf("it ran %d times, want %d", runs, c.runs)
			}
			if !errors.Is(err, c.want) && !sameNumber(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// refusing is a server that rejects every login.
type refusing struct{ driver.Connector }

func (refusing) Connect(context.Context) (driver.Conn, error) {
	return nil, mssql.Error{Number: 4064, Class: 11} // no default database
}

func TestFailedLoginBlamesNoLead(t *testing.T) {
	t.Parallel()
	db := &DB{dialect: sqlServerDialect(), write: sql.OpenDB(refusing{})}
	defer db.write.Close()
	err := db.tryOnce(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	if !sameNumber(err, mssql.Error{Number: 4064}) || db.blamesLead(err) {
		t.Errorf("%v blames the lead: %t", err, db.blamesLead(err))
	}
}

// old is a server with a database of a compatibility level below 130.
type old struct{ driver.Connector }

func (old) Connect(context.Context) (driver.Conn, error) { return oldConn{}, nil }

type oldConn struct{ driver.Conn }

func (oldConn) Close() error { return nil }

func (oldConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, mssql.Error{Number: 208, Class: 16, Message: "Invalid object name 'OPENJSON'."}
}

func TestOldCompatibilityLevelIsReported(t *testing.T) {
	t.Parallel()
	pool := sql.OpenDB(old{})
	defer pool.Close()
	db := &DB{dialect: sqlServerDialect(), read: pool, write: pool}
	_, migrate := db.Migrate(t.Context())
	for name, err := range map[string]error{
		"migrate": migrate,
		"serve":   db.CheckMigrated(t.Context()),
		"explain": db.explain(t.Context(), mssql.Error{Number: 208, Class: 16}),
	} {
		if !errors.Is(err, ErrNoJSON) || errors.Is(err, ErrNotMigrated) || db.blamesLead(err) {
			t.Errorf("%s: error %v", name, err)
		}
		if err != nil && strings.Count(err.Error(), "SET COMPATIBILITY_LEVEL = 130") != 1 {
			t.Errorf("%s: %q does not say once what to do", name, err)
		}
	}
}

// silent is a server that never answers.
type silent struct {
	driver.Connector
	asked chan struct{}
}

func (s silent) Connect(ctx context.Context) (driver.Conn, error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLookupsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	server := silent{asked: make(chan struct{}, 2)}
	pool := sql.OpenDB(server)
	defer pool.Close()
	var p prepared
	ask := func(ctx context.Context) <-chan error {
		answer := make(chan error, 1)
		go func() {
			_, err := p.on(ctx, pool, "SELECT 1")
			answer <- err
		}()
		return answer
	}
	first, giveUp := context.WithCancel(t.Context())
	waits := ask(first)
	<-server.asked
	second, impatient := context.WithCancel(t.Context())
	impatient()
	select {
	case err := <-ask(second):
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(time.Minute): // the second lookup waits for the first
		t.Error("it waits for the first lookup")
	}
	giveUp()
	if err := <-waits; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: error %v", err)
	}
}

func TestIDListsAreSorted(t *testing.T) {
	for want, ids := range map[string][]int64{"[3,20,100]": {20, 3, 100}, "[]": nil} {
		if got, err := idList(ids); err != nil || got != want {
			t.Errorf("%v is %s, %v; want %s", ids, got, err, want)
		}
	}
}

func sameNumber(err, want error) bool {
	var e, w mssql.Error
	return errors.As(err, &e) && errors.As(want, &w) && e.Number == w.Number && !errors.Is(err, ErrUnavailable)
}
