package setup

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"runtime"
	"strings"
)

// server asks for the parts of a database's address, so that nobody has to encode a password.
type server struct {
	person   dialogue
	dataDir  string
	replaces bool   // the former file has a database
	former   string // its address; asBefore where that is in a file of its own
	tried    login  // the last answers
}

// login is what a person has answered about SQL Server, the default of the next time.
type login struct{ host, database, user, password string }

// address asks until there is one, sqlite, or the former file's.
func (s *server) address(ctx context.Context) (string, error) {
	host, err := s.host(ctx)
	switch {
	case err == nil && host == "" && s.replaces:
		return s.former, nil
	case err != nil || host == "" || host == sqliteFile:
		return sqliteFile, err
	case strings.Contains(host, "=") && !strings.Contains(host, "://"):
		s.person.say("  that is a connection string; want the host alone, or all in one: sqlserver://user:password@host:1433?database=name")
		return s.address(ctx)
	case strings.Contains(host, ":") && (strings.Contains(host, "://") || strings.HasPrefix(host, "sqlite:")):
		return host, nil // the whole address
	}
	before := s.tried
	name, err := s.person.insist(ctx, s.person.line, s.person.words("Name of the database (Enter: %s)", cmp.Or(before.database, "oktell")), s.person.words("SQL Server asks for the database's name"))
	if err != nil {
		return "", err
	}
	s.tried = login{host: host, database: cmp.Or(name, before.database, "oktell")}
	user, err := s.user(ctx, before.user, runtime.GOOS)
	if err != nil || user == "" {
		return sqlServer(host, s.tried.database, nil), err
	}
	if user != before.user {
		before.password = ""
	}
	s.tried.user = user
	s.tried.password, err = s.password(ctx, before.password)
	return sqlServer(host, s.tried.database, url.UserPassword(user, s.tried.password)), err
}

// host asks for the server; "" is the database of the former file, or SQLite.
func (s *server) host(ctx context.Context) (string, error) {
	question := s.person.words(`SQL Server: its host, host:port or host\instance, or all in one: sqlserver://user:password@host:1433?database=name (Enter: a SQLite file in %s)`, s.dataDir)
	switch {
	case s.tried.host != "":
		question = s.person.words(`SQL Server: its host, host:port or host\instance, all in one: sqlserver://…, or sqlite (Enter: %s)`, s.tried.host)
	case s.replaces:
		question = s.person.words(`SQL Server: its host, host:port or host\instance, all in one: sqlserver://…, or sqlite (Enter: the database of the former file)`)
	}
	host, err := s.person.insist(ctx, s.person.line, question, s.person.words("leads need a database; sqlite is a file in %s", s.dataDir))
	return cmp.Or(host, s.tried.host), err
}

// user asks for the login; "" is the account of the service, which only Windows has.
func (s *server) user(ctx context.Context, before, system string) (string, error) {
	if system == onWindows {
		question := s.person.words("Login (Enter: the Windows account under which leadsync runs)")
		if before != "" {
			question = s.person.words("Login (Enter: %s; -: the Windows account under which leadsync runs)", before)
		}
		user, err := s.person.line(ctx, question)
		return cleared(cmp.Or(user, before)), err
	}
	question := s.person.words("Login of SQL Server")
	if before != "" {
		question = s.person.words("Login (Enter: %s)", before)
	}
	for {
		user, err := s.person.insist(ctx, s.person.line, question, s.person.words("SQL Server asks for a login"))
		if user = cmp.Or(user, before); user != "" || err != nil {
			return user, err
		}
	}
}

// password asks for the login's; before is what the same login had.
func (s *server) password(ctx context.Context, before string) (string, error) {
	question := s.person.words("Its password (not shown)")
	if before != "" {
		question = s.person.words("Its password (not shown; Enter: the same as before)")
	}
	password, err := s.person.insist(ctx, s.person.hidden, question, s.person.words("SQL Server asks for the login's password"))
	return cmp.Or(password, before), err
}

// sqlServer is the address of a database; user is nil for a Windows log-in. SQL Server's own tools have
// a comma before the port, which needs no instance.
func sqlServer(host, database string, user *url.Userinfo) string {
	host, port, _ := strings.Cut(strings.TrimPrefix(host, "tcp:"), ",")
	host, instance, _ := strings.Cut(host, `\`)
	if port = strings.TrimSpace(port); port != "" {
		host, instance = net.JoinHostPort(strings.Trim(host, "[]"), port), ""
	}
	if _, _, err := net.SplitHostPort(host); err != nil && instance == "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "1433")
	}
	u := url.URL{Scheme: "sqlserver", User: user, Host: host, Path: instance, RawQuery: url.Values{"database": {database}}.Encode()}
	return u.String()
}
