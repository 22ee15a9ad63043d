package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
	leadsql "leadsync/sql"
)

// SetHostile puts settings before the contract of every session that the test opens.
func SetHostile(tb testing.TB, settings string) {
	tb.Helper()
	was := hostile
	hostile = settings
	tb.Cleanup(func() { hostile = was })
}

// SessionPool opens one connection that keeps the service's contract, or that of migrations.
// It is reset where it has rested that long.
func SessionPool(tb testing.TB, url string, migrations bool, rest time.Duration) *sql.DB {
	tb.Helper()
	dsn, _, err := sqlServerDSN(url)
	if err != nil {
		tb.Fatal(err)
	}
	l := limitsOf(0)
	l.rest = rest
	text := serviceContract(l)
	if migrations {
		text = migrationContract
	}
	c, err := newConnector(dsn, text, l, nil)
	if err != nil {
		tb.Fatal(err)
	}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = pool.Close() })
	return pool
}

// Connect opens one session with this contract.
func Connect(tb testing.TB, url, contract string) error {
	tb.Helper()
	dsn, _, err := sqlServerDSN(url)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := newConnector(dsn, contract, limitsOf(0), nil)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := c.Connect(tb.Context())
	if err != nil {
		return err
	}
	return conn.Close()
}

// ErrUncounted says that a session counts no rows.
var ErrUncounted = errUncounted

// MigrationLock lets one process migrate SQL Server at a time.
var MigrationLock = sqlServerDialect().locker

// SQLServerDSN adds the defaults to a URL.
var SQLServerDSN = sqlServerDSN

// LoadBy sets how batches are written: all of them through temporary tables, none of them, or
// as repo chooses.
func (d *DB) LoadBy(way string) {
	switch way {
	case "staged":
		d.dialect.small = 0
	case "listed":
		d.dialect.small = batchSize
	}
}

// OpenThrough opens a database whose connections to the server pass through wrap: it sees what
// the driver gets.
func OpenThrough(ctx context.Context, cfg Config, wrap func(driver.Connector) driver.Connector) (*DB, error) {
	cfg.Lazy = true
	db, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		connector, err := sqliteConnector(path, "_txlock=immediate", db.sent, &sync.Mutex{})
		if err != nil {
			return nil, err
		}
		db.read = sql.OpenDB(wrap(connector))
	} else {
		dsn, _, err := sqlServerDSN(cfg.URL)
		if err != nil {
			return nil, err
		}
		connector, err := mssql.NewConnector(dsn)
		if err != nil {
			return nil, err
		}
		db.read = sql.OpenDB(declaring{wrap(connector), db.sent})
	}
	db.write = db.read
	return db, nil
}

// ErrStale says that rows changed after they were read.
var ErrStale = errStale

// StoreUndecided writes a snapshot, skipping the decision whether it is newer than the row
// with that ticket.
func (d *DB) StoreUndecided(ctx context.Context, s *leads.Snapshot, was leads.Ticket) error {
	e := entry{outcome: new(leads.Outcome), snapshot: s, row: &storedRow{id: s.LeadID, ticket: was}, decision: decision{action: writeRow, ticket: s.Ticket}}
	return d.tryOnce(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return d.store(ctx, tx, []entry{e}, d.dialect.load)
	})
}

// Judge has one check judge what the database would answer. About is what earlier checks found
// out, in the order of their names and rows.
func Judge(name string, before map[string][]map[string]string, rows ...map[string]string) []Condition {
	about := &surroundings{schema: "dbo", widths: scriptColumns(leadsql.SQLServerMigrations)}
	facts := func(rows []map[string]string) (list []fact) {
		for _, row := range rows {
			list = append(list, row)
		}
		return list
	}
	for _, c := range sqlServerChecks {
		if c.name == name {
			return c.judge(about, facts(rows))
		}
		if earlier, ok := before[c.name]; ok {
			c.judge(about, facts(earlier))
		}
	}
	return sqliteChecks[0].judge(about, facts(rows))
}

// JudgeHealth is Judge for a check of Health, on a server that cannot read JSON.
func JudgeHealth(name string, rows ...map[string]string) []Condition {
	return judgeHealth(name, false, rows)
}

// JudgeHealthWithJSON is JudgeHealth on a server that reads JSON.
func JudgeHealthWithJSON(name string, rows ...map[string]string) []Condition {
	return judgeHealth(name, true, rows)
}

func judgeHealth(name string, readsJSON bool, rows []map[string]string) []Condition {
	facts := make([]fact, len(rows))
	for i, row := range rows {
		facts[i] = row
	}
	for _, c := range sqlServerHealth {
		if c.name == name {
			return c.judge(&surroundings{schema: "dbo", readsJSON: readsJSON}, facts)
		}
	}
	panic("no such check: " + name)
}

// ScriptColumn is a column of the call centre's script, as a catalogue would show it.
func ScriptColumns() (rows []map[string]string) {
	for table, columns := range scriptColumns(leadsql.SQLServerMigrations) {
		for _, c := range columns {
			row := map[string]string{"table": table, "column": c.name, "type": c.kind, "length": strconv.FormatInt(c.width, 10), "nullable": "1", "identity": "0", "computed": "0", "defaulted": "0"}
			switch {
			case c.name == "Id":
				row["identity"], row["nullable"] = "1", "0"
			case c.kind == "nvarchar" && c.width > 0:
				row["length"] = strconv.FormatInt(2*c.width, 10)
			}
			if c.kind == "nvarchar" {
				row["collation"] = "Cyrillic_General_CI_AS"
			}
			rows = append(rows, row)
		}
	}
	return rows
}
