package service

import (
	"cmp"
	"net/url"
	"strings"

	"leadsync/repo"
)

func readDatabaseURL(e *environment, name, otherwise string) string {
	value := cmp.Or(e.text(name), otherwise)
	const should = "sqlite:<file>, or sqlserver://user:password@host:1433?database=oktell"
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		if path == "" {
			e.fault(name, "no file name", should)
		}
		return value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "sqlserver" || u.Host == "":
		e.fault(name, "not a database address", should+" (special characters of the password percent-encoded)")
	case u.Query().Get("database") == "":
		e.fault(name, "no database name", should)
	}
	return value
}

// readSchema reads the schema of the tables on SQL Server.
func readSchema(e *environment, name, databaseURL string) string {
	value := e.text(name)
	switch {
	case value == "":
	case strings.HasPrefix(databaseURL, "sqlite:"):
		e.fault(name, "set for a SQLite database, which has no schemas", "it only beside a sqlserver:// address in LEADSYNC_DATABASE_URL")
	case !repo.ValidSchema(value):
		e.fault(name, "not a name of a schema", "up to 128 letters, digits and _, such as dbo")
	}
	return value
}
