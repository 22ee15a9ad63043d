package repo

import (
	"errors"
	"fmt"

	leadsql "leadsync/sql"
)

// in is the dialect with the tables in a schema.
func (d dialect) in(schema string) (dialect, error) {
	switch {
	case schema == "" || schema == d.schema:
		return d, nil
	case d.schema == "":
		return d, errors.New("database schema: set for a database without schemas, want it only for SQL Server")
	}
	texts, err := leadsql.ServerIn(schema)
	if err != nil {
		return d, fmt.Errorf("database schema: %w", err)
	}
	d.schema, d.sql, d.migrations, d.preflight = schema, texts.Statements, texts.Migrations, texts.Preflight
	d.history = leadsql.Table(schema, "leadsync_migrations")
	return d, nil
}

// ValidSchema reports whether the tables can be in a schema of that name.
func ValidSchema(name string) bool { return leadsql.ValidSchema(name) }
