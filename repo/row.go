package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"leadsync/leads"
)

// Range is the portal's rows with after < sql_ID <= upTo, tombstones included, at most
// limit of them, by id; each with its contacts and what the side tables hold of it, all as
// they stand now.
func (d *DB) Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error) {
	var rows []leads.Row
	err := d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		member := sql.Named("member_id", memberID)
		rows, err = query(ctx, tx, scanHeld(memberID), d.dialect.sql.RowRange,
			member, sql.Named("after", after), sql.Named("up_to", upTo), sql.Named("limit", limit))
		if err != nil || len(rows) == 0 {
			return err
		}
		s := d.dialect.sql
		span := []any{member, sql.Named("after", after), sql.Named("up_to", rows[len(rows)-1].LeadID)}
		if err := addContacts(ctx, tx, rows, s.RowRangeContacts, span...); err != nil {
			return err
		}
		return d.addSides(ctx, tx, rows, sideStatements{s.RowRangePhones, s.RowRangeFields, s.RowRangeSolutions}, span...)
	})
	if err != nil {
		return nil, fmt.Errorf("range of %s after %d: %w", memberID, after, err)
	}
	return rows, nil
}

// Row is one row, a tombstone included; false where there is none.
func (d *DB) Row(ctx context.Context, ref leads.Ref) (leads.Row, bool, error) {
	var rows []leads.Row
	err := d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		rows, err = d.heldRows(ctx, tx, ref.MemberID, []int64{ref.LeadID})
		return err
	})
	if err != nil || len(rows) == 0 {
		return leads.Row{}, false, wrapped(err, "held %s", ref)
	}
	return rows[0], true, nil
}

// consistent runs reads that belong together: a row and its contacts are of one moment.
// Where a write got in their way they are run again; fn must bear that.
func (d *DB) consistent(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	for try := 1; ; try++ {
		err := d.readOnce(ctx, fn)
		if err == nil || ctx.Err() != nil || try == tries || !d.again(err) || wait(ctx, try) != nil {
			return d.explain(ctx, err)
		}
	}
}

func (d *DB) readOnce(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	tx, err := d.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = fn(ctx, tx)
	_ = tx.Rollback() // nothing was written
	return err
}

func (d *DB) heldRows(ctx context.Context, tx *sql.Tx, memberID string, ids []int64) ([]leads.Row, error) {
	which, err := idList(ids)
	if err != nil {
		return nil, err
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("ids", which)}
	rows, err := query(ctx, tx, scanHeld(memberID), d.dialect.sql.RowGet, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	s := d.dialect.sql
	if err := addContacts(ctx, tx, rows, s.RowGetContacts, args...); err != nil {
		return nil, err
	}
	return rows, d.addSides(ctx, tx, rows, sideStatements{s.RowGetPhones, s.RowGetFields, s.RowGetSolutions}, args...)
}

// Rows are the portal's rows with these ids, tombstones included, by id.
func (d *DB) Rows(ctx context.Context, memberID string, ids []int64) (rows []leads.Row, err error) {
	err = d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err = d.heldRows(ctx, tx, memberID, ids)
		return err
	})
	return rows, wrapped(err, "%d rows of %s", len(ids), memberID)
}

// IDs are like Range, but only ids, tickets and whether the row is a tombstone.
func (d *DB) IDs(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error) {
	rows, err := list(ctx, d, func(row scanner) (leads.Row, error) {
		h := leads.Row{Ref: leads.Ref{MemberID: memberID}}
		var deleted time.Time
		err := row.Scan(&h.LeadID, &h.Ticket, instantColumn{&deleted})
		h.Deleted = !deleted.IsZero()
		return h, err
	}, d.dialect.sql.RowKeys, sql.Named("member_id", memberID), sql.Named("after", after), sql.Named("up_to", upTo), sql.Named("limit", limit))
	return rows, wrapped(err, "ids of %s after %d", memberID, after)
}

// owned is something of a lead.
type owned[T any] struct {
	leadID int64
	it     T
}

// deal gives each row what is its own; both come ordered by lead.
func deal[T any](rows []leads.Row, list []owned[T], give func(*leads.Row, T)) {
	at := 0
	for _, item := range list {
		for at < len(rows) && rows[at].LeadID < item.leadID {
			at++
		}
		if at < len(rows) && rows[at].LeadID == item.leadID {
			give(&rows[at], item.it)
		}
	}
}

// addContacts gives the rows their contacts.
func addContacts(ctx context.Context, tx *sql.Tx, rows []leads.Row, statement string, args ...any) error {
	contacts, err := query(ctx, tx, scanContact, statement, args...)
	if err != nil {
		return err
	}
	deal(rows, contacts, func(h *leads.Row, c leads.Contact) { h.Contacts = append(h.Contacts, c) })
	return nil
}

func scanHeld(memberID string) func(scanner) (leads.Row, error) {
	return func(row scanner) (leads.Row, error) {
		h := leads.Row{Ref: leads.Ref{MemberID: memberID}, Columns: make([]string, len(leads.Fields))}
		var deleted, absent time.Time
		var raw string
		dest := []any{&h.LeadID, &h.Ticket, &h.Revision, instantColumn{&deleted}, instantColumn{&absent}, textColumn{&h.Hash}, textColumn{&raw}, instantColumn{&h.CreatedAt}, instantColumn{&h.ModifiedAt}}
		for i := range h.Columns {
			dest = append(dest, textColumn{&h.Columns[i]})
		}
		if err := row.Scan(dest...); err != nil {
			return leads.Row{}, err
		}
		h.Deleted, h.Absent = !deleted.IsZero(), !absent.IsZero()
		if raw != "" {
			h.Raw = json.RawMessage(raw)
		}
		return h, nil
	}
}

func scanContact(row scanner) (c owned[leads.Contact], err error) {
	err = row.Scan(&c.leadID, textColumn{&c.it.ID}, textColumn{&c.it.TypeID}, textColumn{&c.it.ValueType}, textColumn{&c.it.Value})
	return c, err
}

// Missing are leads that were absent when they were read, and since then for at least
// the grace period: to be asked for once more. At most limit, by id. There are none
// while the breaker is open: asking for them would be for nothing.
func (d *DB) Missing(ctx context.Context, memberID string, limit int) ([]int64, error) {
	now := d.now()
	ids, err := list(ctx, d, scanInt, d.dialect.sql.LeadsMissing, sql.Named("member_id", memberID),
		sql.Named("until", instant(now.Add(-d.grace))), sql.Named("now", instant(now)), sql.Named("limit", limit))
	if err != nil || len(ids) == 0 {
		return nil, wrapped(err, "missing leads of %s", memberID)
	}
	if b, err := d.Breaker(ctx, memberID); err != nil || b.Open() {
		return nil, err
	}
	return ids, nil
}

// CountLeads is the number of the portal's rows, without tombstones.
func (d *DB) CountLeads(ctx context.Context, memberID string) (int64, error) {
	n, _, err := one(ctx, d, scanInt, d.dialect.sql.LeadsCount, sql.Named("member_id", memberID))
	return n, wrapped(err, "count leads of %s", memberID)
}

// wrapped says what was being done when err came; nil stays nil.
func wrapped(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
