package repo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/pressly/goose/v3"

	leadsql "leadsync/sql"
)

// sqlServerConnections is the largest number of connections: enough for every loop of the
// service, few enough for a server that others use too.
const sqlServerConnections = 16

func openSQLServer(raw string, l limits) (opened, error) {
	dsn, place, err := sqlServerDSN(raw)
	if err != nil {
		return opened{}, err
	}
	wires := newWires()
	service, err := newConnector(dsn, serviceContract(l), l, wires)
	if err != nil {
		return opened{}, fmt.Errorf("open %s: %w", place, err)
	}
	migrations, err := newConnector(dsn, migrationContract, l, nil)
	if err != nil {
		return opened{}, fmt.Errorf("open %s: %w", place, err)
	}
	counter := &sent{}
	pool := sql.OpenDB(declaring{service, counter})
	pool.SetMaxOpenConns(sqlServerConnections)
	pool.SetMaxIdleConns(sqlServerConnections)
	return opened{
		dialect: sqlServerDialect(), read: pool, write: pool, place: place, sent: counter, limits: l, doubt: service.doubt,
		silentSince: func(now time.Time) time.Time { return wires.silentSince(now, l) },
		migrations:  func() (*sql.DB, func() error) { own := sql.OpenDB(migrations); return own, own.Close },
	}, nil
}

// sqlServerDSN adds defaults to the URL. Unless the URL says otherwise, connections are
// encrypted and the machine must trust the server's certificate; the driver's defaults do
// neither. place is the server and database, for errors.
func sqlServerDSN(raw string) (dsn, place string, err error) {
	u, err := url.Parse(raw)
	if err != nil { // err contains the password
		return "", "", errors.New("database URL: syntax error, " +
			"want sqlserver://user:password@host:1433?database=name, with special characters of the password %-encoded; a named instance follows a slash: host/instance")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" || strings.HasSuffix(raw, "#") || strings.Contains(u.Path, "@") { // what the URL does not mean would be left out, or taken for an instance
		return "", "", errors.New("database URL: a special character of user, password, database or a parameter is not %-encoded: # is %23, / is %2F, ? is %3F, ; is %3B, % is %25; " +
			"want sqlserver://user:password@host:1433?database=name, several parameters with & between them")
	}
	if u.Host == "" || q.Get("database") == "" {
		return "", "", errors.New("database URL: host or database is missing, " +
			"want sqlserver://user:password@host:1433?database=name, with special characters of the password, such as # or ?, %-encoded")
	}
	place = fmt.Sprintf("SQL Server %s, database %s", strings.TrimSuffix(u.Host+u.Path, "/"), q.Get("database"))
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
		schema: "dbo", checks: sqlServerChecks, health: sqlServerHealth, preflight: leadsql.SQLServerPreflight, batches: true, load: loadSQLServer, small: smallSQLServer, batch: batchSize, pack: packCoded,
		classify: classifySQLServer, number: numberOf, cause: causeSQLServer, hint: hintSQLServer,
	}
}

func hintSQLServer(err error) string {
	var e mssql.Error
	switch {
	case aboutCertificate(err):
		return "let this machine trust the server's certificate, or add certificate=<path of its file> to the URL " +
			"(TrustServerCertificate=true accepts any that Go can read, and then nobody checks which server answers); " +
			"where Go cannot read it, give SQL Server a certificate of its own, or restart it: it makes itself a new one at each start"
	case errors.Is(err, errUncounted):
		return "compare with SELECT @@OPTIONS & 512 in a session of your own, which is 0 where rows are counted"
	case !errors.As(err, &e):
		return "check host and port, that the server runs and accepts TCP/IP, and the firewall"
	}
	switch {
	case e.Number == 4060, slices.ContainsFunc(e.All, func(one mssql.Error) bool { return one.Number == 4060 }): // 18456 follows it
		return "check the database's name; create the database, or give the login a user in it"
	case e.Number == 18456:
		return "check user and password, and that the server allows SQL Server authentication"
	default:
		return "ask the server's administrator"
	}
}

// appLock lets one process migrate at a time. The session owns the lock, so a migration's
// transactions do not release it; it ends with the session.
type appLock struct{}

// SessionLock waits for the lock for up to five minutes.
func (appLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var result mssql.ReturnStatus
	_, err := conn.ExecContext(ctx, "sp_getapplock",
		sql.Named("Resource", "leadsync_migrations"), sql.Named("LockMode", "Exclusive"),
		sql.Named("LockOwner", "Session"), sql.Named("LockTimeout", 300_000), &result)
	if err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	if result < 0 {
		return fmt.Errorf("migration lock: another migration has held it for five minutes (sp_getapplock returned %d), check that process", result)
	}
	return nil
}

// SessionUnlock releases the lock.
func (appLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "sp_releaseapplock",
		sql.Named("Resource", "leadsync_migrations"), sql.Named("LockOwner", "Session"))
	return err
}

// aboutCertificate reports whether a connection failed at the server's certificate.
func aboutCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		strings.Contains(err.Error(), "x509: ") // what cannot be parsed has no type
}
