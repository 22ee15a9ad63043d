package repo

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// instantFormat is how exact instants go into statements, always in UTC: one width, so
// that SQLite's text compares as time does.
const instantFormat = "2006-01-02T15:04:05.000Z"

func instant(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.UTC().Format(instantFormat))
}

// wallClock is a time for the seed's datetime columns: the clock on the wall here.
func wallClock(t time.Time) string { return t.Local().Format(leads.WallClock) }

// text is NULL where s is empty.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// idList is a list of ids as JSON, which both databases take apart in the statement. It is
// in order: SQL Server locks row by row as they come, and two that lock the same rows in
// another order block each other. Each is there once: it is joined. None are [], for null is no list to SQL Server.
func idList(ids []int64) (string, error) {
	sorted := append([]int64{}, ids...)
	slices.Sort(sorted)
	list, err := json.Marshal(slices.Compact(sorted))
	return string(list), err
}

// textColumn scans any column as text: NULL is "", a datetime is the wall clock it shows.
type textColumn struct{ to *string }

// Scan implements sql.Scanner.
func (c textColumn) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*c.to = ""
	case string:
		*c.to = v
	case []byte:
		*c.to = string(v)
	case time.Time:
		*c.to = v.Format(leads.WallClock)
	default:
		*c.to = fmt.Sprint(v)
	}
	return nil
}

// instantColumn scans an exact instant, which SQLite keeps as text; NULL is the zero time.
type instantColumn struct{ to *time.Time }

// Scan implements sql.Scanner.
func (c instantColumn) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*c.to = time.Time{}
	case time.Time:
		*c.to = v.UTC()
	case string:
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return err
		}
		*c.to = t.UTC()
	default:
		return fmt.Errorf("instant of type %T", value)
	}
	return nil
}

// zoned is an instant with the zone it was told in, kept as text: what a portal is asked
// for in its own time.
func zoned(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.Format(time.RFC3339))
}

// zonedColumn scans what zoned wrote.
type zonedColumn struct{ to *time.Time }

// Scan implements sql.Scanner.
func (c zonedColumn) Scan(value any) error {
	var told string
	if err := (textColumn{&told}).Scan(value); err != nil || told == "" {
		*c.to = time.Time{}
		return err
	}
	t, err := time.Parse(time.RFC3339, told)
	*c.to = t
	return err
}
