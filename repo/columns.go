package repo

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"
	"sync/atomic"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
)

// columns are the text columns of the call centre's tables where an adopted table differs
// from its own script. The zero value is a table that does not.
type columns struct {
	widths   leads.Widths
	required map[string]bool // columns of bitrix_leads that cannot be NULL
}

// text is a value for the field's column.
func (c columns) text(f leads.Field, value string) sql.NullString {
	s := text(c.widths.Field(f).Column(value))
	if !s.Valid && c.required["sql_"+f.Name] && f.Kind != leads.DateTime && f.Kind != leads.Date {
		s.Valid = true // "" in place of NULL
	}
	return s
}

// same reports whether nothing has changed.
func (c columns) same(as columns) bool {
	return maps.Equal(c.widths, as.widths) && maps.Equal(c.required, as.required)
}

// cachedColumns are the columns as they were read last.
type cachedColumns struct{ atomic.Pointer[columns] }

// errColumns says that columns have become narrower since they were read. The transaction runs
// again.
var errColumns = errors.New("columns have become narrower")

// tableColumns returns the columns as the catalogue describes them. They are read once, and
// again when a value did not fit.
func (d *DB) tableColumns(ctx context.Context, q querier) (columns, error) {
	if known := d.adopted.Load(); known != nil {
		return *known, nil
	}
	return d.readColumns(ctx, q)
}

// widths are the widths as they are known: a row that is read before any was written is
// compared with the widths of the script.
func (d *DB) widths() leads.Widths {
	if known := d.adopted.Load(); known != nil {
		return known.widths
	}
	return nil
}

// catalogued is a column of the catalogue.
type catalogued struct {
	table, name string
	width       int // in characters; -1 is unlimited
	nullable    bool
}

func (d *DB) readColumns(ctx context.Context, q querier) (columns, error) {
	list, err := query(ctx, q, func(row scanner) (c catalogued, err error) {
		err = row.Scan(&c.table, &c.name, &c.width, &c.nullable)
		return c, err
	}, d.dialect.sql.ColumnsList)
	if err != nil {
		return columns{}, err
	}
	found := columnsOf(list)
	d.adopted.Store(&found)
	return found, nil
}

// columnsOf finds what differs from the script. Names are compared without regard to case, as
// most databases do.
func columnsOf(list []catalogued) columns {
	byName := make(map[string]catalogued, len(list))
	for _, c := range list {
		byName[strings.ToLower(c.table+"."+c.name)] = c
	}
	found := columns{widths: leads.Widths{}, required: map[string]bool{}}
	for name, width := range leads.ScriptWidths() {
		c, ok := byName[strings.ToLower(name)]
		if ok && c.width > 0 && (width == 0 || c.width < width) {
			found.widths[name] = c.width
		}
	}
	for _, f := range leads.Fields {
		c, ok := byName[strings.ToLower("bitrix_leads.sql_"+f.Name)]
		found.required["sql_"+f.Name] = ok && !c.nullable
	}
	return found
}

// narrowed reads the columns again where an error says that a value does not fit, and returns
// errColumns where they have changed.
func (d *DB) narrowed(ctx context.Context, err error) error {
	var e mssql.Error
	if !errors.As(err, &e) || e.Number != 2628 && e.Number != 8152 && e.Number != 515 { // truncated, or NULL where none may be
		return err
	}
	before := d.adopted.Load()
	after, failed := d.readColumns(ctx, d.read)
	if failed != nil || before != nil && before.same(after) {
		return err
	}
	return errors.Join(errColumns, err)
}
