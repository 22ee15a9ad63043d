package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/pressly/goose/v3"

	leadsql "leadsync/sql"
)

// sqlServerConnections is enough for every loop of the service; a server of a call
// centre has others to serve too.
const sqlServerConnections = 16

func openSQLServer(raw string) (opened, error) {
	dsn, place, err := sqlServerDSN(raw)
	if err != nil {
		return opened{}, err
	}
	connector, err := mssql.NewConnector(dsn)
	if err != nil {
		return opened{}, fmt.Errorf("open %s: %w", place, err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(sqlServerConnections)
	pool.SetMaxIdleConns(sqlServerConnections)
	return opened{dialect: sqlServerDialect(), read: pool, write: pool, place: place}, nil
}

// sqlServerDSN is the URL with what it leaves open. Connections are encrypted, and the
// server's certificate must be one that this machine trusts, unless the URL says
// otherwise: the driver by itself would do neither.
func sqlServerDSN(raw string) (dsn, place string, err error) {
	u, err := url.Parse(raw)
	if err != nil { // the error would show the password
		return "", "", errors.New("database URL: it cannot be read: " +
			"write sqlserver://user:password@host:1433?database=name, special characters of the password %-encoded")
	}
	q := u.Query()
	if u.Host == "" || q.Get("database") == "" {
		return "", "", errors.New("database URL: host or database is missing: " +
			"write sqlserver://user:password@host:1433?database=name, special characters of the password, such as # or ?, %-encoded")
	}
	place = fmt.Sprintf("SQL Server %s, database %s", u.Host, q.Get("database"))
	given := map[string]bool{}
	for name := range q {
		given[strings.ToLower(name)] = true
	}
	if !given["app name"] {
		q.Set("app name", "leadsync")
	}
	if !given["encrypt"] {
		q.Set("encrypt", "true")
	}
	u.RawQuery = q.Encode()
	return u.String(), place, nil
}

func sqlServerDialect() dialect {
	return dialect{
		name: "sqlserver", sql: &leadsql.SQLServer, migrations: leadsql.SQLServerMigrations,
		goose: goose.DialectMSSQL, history: "dbo.leadsync_migrations", locker: appLock{},
		load: loadSQLServer, judge: judgeSQLServer, advise: adviseSQLServer,
	}
}

// smallLoad is up to how many rows prepared inserts are no slower than bulk copy, which
// asks for the table's columns first. BenchmarkLoad measures where they cross.
const smallLoad = 2

// loadSQLServer takes the faster way: a single lead that has changed, or a whole page.
func loadSQLServer(ctx context.Context, tx *sql.Tx, into target, rows [][]any) error {
	if len(rows) <= smallLoad {
		return loadPrepared(ctx, tx, into, rows)
	}
	return loadBulk(ctx, tx, into, rows)
}

// loadBulk streams the rows by bulk copy, on the transaction's own connection.
func loadBulk(ctx context.Context, tx *sql.Tx, into target, rows [][]any) (err error) {
	statement, err := tx.PrepareContext(ctx, mssql.CopyIn(into.table, mssql.BulkOptions{}, into.columns...))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	for _, row := range rows {
		if _, err := statement.ExecContext(ctx, row...); err != nil {
			return bulk{err}
		}
	}
	if _, err := statement.ExecContext(ctx); err != nil { // ends the copying
		return bulk{err}
	}
	return nil
}

// judgeSQLServer goes by number where one is known, else by severity. Source: the
// documentation of database engine errors; 11 to 16 are the sender's, 17 and more are
// the server's.
func judgeSQLServer(err error) fault {
	var e mssql.Error
	if !errors.As(err, &e) {
		return faultOther
	}
	switch e.Number {
	case 2627, 2601: // unique constraint, unique index
		return faultKey
	case 1205, 1222, 3960, 3961: // deadlock victim, lock time-out, snapshot conflicts
		return faultBusy
	case 207, 208: // column, table
		return faultMissing
	case 701, 911, 952, 1105, 1204, 3906, 4060, 9002, 18456, 40197, 40501, 40613: // memory, no or moving database, full, locks, read-only, login, Azure
		return faultDown
	case 229, 230, 262, 297, 300: // rights
		return faultOther
	}
	switch {
	case e.Class >= 20:
		return faultBroken
	case e.Class >= 17:
		return faultDown
	case e.Class == 15: // syntax
		return faultOther
	case e.Class == 14: // admission: a replica that is no primary, a database that recovers, a password that is over
		return faultDown
	default:
		return faultData
	}
}

func adviseSQLServer(err error) string {
	var e mssql.Error
	if !errors.As(err, &e) {
		return "check host and port, that the server runs and accepts TCP/IP, and the firewall between; where it is the server's certificate, " +
			"let this machine trust it or name its file by certificate=<path> in the URL (TrustServerCertificate=true takes any)"
	}
	switch e.Number {
	case 18456:
		return "check user and password, and that the server allows SQL Server authentication"
	case 4060:
		return "create the database, or give the login a user in it"
	default:
		return "ask the server's administrator"
	}
}

// appLock lets one replica migrate at a time. It belongs to the session, so that a
// migration's own transactions neither take nor release it, and ends with it.
type appLock struct{}

// SessionLock waits up to five minutes for its turn.
func (appLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var result mssql.ReturnStatus
	_, err := conn.ExecContext(ctx, "sp_getapplock",
		sql.Named("Resource", "leadsync_migrations"), sql.Named("LockMode", "Exclusive"),
		sql.Named("LockOwner", "Session"), sql.Named("LockTimeout", 300_000), &result)
	if err != nil {
		return fmt.Errorf("wait for the lock of migrations: %w", err)
	}
	if result < 0 {
		return fmt.Errorf("another migration has been running for five minutes (sp_getapplock: %d): look at that one", result)
	}
	return nil
}

// SessionUnlock lets the next one in.
func (appLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "sp_releaseapplock",
		sql.Named("Resource", "leadsync_migrations"), sql.Named("LockOwner", "Session"))
	return err
}
