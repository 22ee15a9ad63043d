package repo

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// instantFormat is the text of instants in statements, always in UTC. Its fixed width makes
// SQLite's texts sort like times.
const instantFormat = "2006-01-02T15:04:05.000Z"

func instant(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.UTC().Format(instantFormat))
}

// wallClock is a time for datetime columns that other programs read: local time of this
// machine.
func wallClock(t time.Time) string { return t.Local().Format(leads.WallClock) }

// text is NULL where s is empty.
func text(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// null is sql.NullString{} in an interface. Most columns of most leads are empty.
var null any = sql.NullString{}

// boxed is s as an argument, without a new copy of each NULL.
func boxed(s sql.NullString) any {
	if !s.Valid {
		return null
	}
	return s.String
}

// idList is a list of ids as JSON, which statements read as a table. The ids are sorted,
// because SQL Server locks rows in that order, and transactions that lock the same rows in
// different orders block each other. Each id appears once, because statements join the
// list. An empty list is [], because SQL Server cannot read null.
func idList(ids []int64) (string, error) {
	sorted := append([]int64{}, ids...)
	slices.Sort(sorted)
	list, err := json.Marshal(slices.Compact(sorted))
	return string(list), err
}

// textColumn scans any column as text: NULL is "", a datetime is its wall-clock time.
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

// instantColumn scans an instant, which SQLite stores as text; NULL is the zero time.
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
		return fmt.Errorf("instant: unknown type %T, want time or text", value)
	}
	return nil
}

// zoned is the text of an instant with its zone: requests to a portal need its own time.
func zoned(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.Format(time.RFC3339))
}

// zonedColumn scans the text of zoned.
type zonedColumn struct{ to *time.Time }

// Scan implements sql.Scanner.
func (c zonedColumn) Scan(value any) error {
	var stored string
	if err := (textColumn{&stored}).Scan(value); err != nil || stored == "" {
		*c.to = time.Time{}
		return err
	}
	t, err := time.Parse(time.RFC3339, stored)
	*c.to = t
	return err
}
