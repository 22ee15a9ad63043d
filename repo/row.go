package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"leadsync/leads"
)

// Range returns the portal's rows with after < sql_ID <= upTo, tombstones included, sorted
// by id; at most limit. Each row has its contacts and its rows of the side tables, all read
// at the same moment.
func (d *DB) Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error) {
	ctx = patient(ctx)
	var rows []leads.Row
	err := d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		member := sql.Named("member_id", memberID)
		rows, err = query(ctx, tx, scanRow(memberID, d.widths()), d.dialect.sql.RowRange,
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

// Row returns one row, even a tombstone; false where there is no row.
func (d *DB) Row(ctx context.Context, ref leads.Ref) (leads.Row, bool, error) {
	var rows []leads.Row
	err := d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		rows, err = d.rowsByID(ctx, tx, ref.MemberID, []int64{ref.LeadID})
		return err
	})
	if err != nil || len(rows) == 0 {
		return leads.Row{}, false, wrap(err, "row %s", ref)
	}
	return rows[0], true, nil
}

// consistent runs reads in one transaction, so that a row and its contacts are of the same
// moment. It runs all of fn again where a concurrent write prevented that, so fn must be
// repeatable.
func (d *DB) consistent(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	err := d.attemptWithin(ctx, "question", func(ctx context.Context) error { return d.readOnce(ctx, fn) })
	return d.explain(ctx, err)
}

func (d *DB) readOnce(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	tx, err := intime(ctx, func() (*sql.Tx, error) { return d.read.BeginTx(ctx, nil) })
	if err != nil {
		return err
	}
	err = fn(ctx, tx)
	_ = tx.Rollback() // fn only reads
	return err
}

func (d *DB) rowsByID(ctx context.Context, q querier, memberID string, ids []int64) ([]leads.Row, error) {
	which, err := idList(ids)
	if err != nil {
		return nil, err
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("ids", which)}
	rows, err := query(ctx, q, scanRow(memberID, d.widths()), d.dialect.sql.RowGet, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	s := d.dialect.sql
	if err := addContacts(ctx, q, rows, s.RowGetContacts, args...); err != nil {
		return nil, err
	}
	return rows, d.addSides(ctx, q, rows, sideStatements{s.RowGetPhones, s.RowGetFields, s.RowGetSolutions}, args...)
}

// Rows returns the portal's rows with these ids, tombstones included, sorted by id.
func (d *DB) Rows(ctx context.Context, memberID string, ids []int64) (rows []leads.Row, err error) {
	ctx = patient(ctx)
	err = d.consistent(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err = d.rowsByID(ctx, tx, memberID, ids)
		return err
	})
	return rows, wrap(err, "%d rows of %s", len(ids), memberID)
}

// IDs is like Range, but reads only ids, tickets and whether the row is a tombstone.
func (d *DB) IDs(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error) {
	ctx = patient(ctx)
	rows, err := queryList(ctx, d, func(row scanner) (leads.Row, error) {
		r := leads.Row{Ref: leads.Ref{MemberID: memberID}}
		var deleted time.Time
		err := row.Scan(&r.LeadID, &r.Ticket, instantColumn{&deleted})
		r.Deleted = !deleted.IsZero()
		return r, err
	}, d.dialect.sql.RowKeys, sql.Named("member_id", memberID), sql.Named("after", after), sql.Named("up_to", upTo), sql.Named("limit", limit))
	return rows, wrap(err, "ids of %s after %d", memberID, after)
}

// ofLead is a value that belongs to a lead.
type ofLead[T any] struct {
	leadID int64
	value  T
}

// distribute calls add for each value and the row of its lead. Both lists are sorted by lead.
func distribute[T any](rows []leads.Row, list []ofLead[T], add func(*leads.Row, T)) {
	at := 0
	for _, entry := range list {
		for at < len(rows) && rows[at].LeadID < entry.leadID {
			at++
		}
		if at < len(rows) && rows[at].LeadID == entry.leadID {
			add(&rows[at], entry.value)
		}
	}
}

// addContacts reads the contacts of the rows.
func addContacts(ctx context.Context, q querier, rows []leads.Row, statement string, args ...any) error {
	contacts, err := query(ctx, q, scanContact, statement, args...)
	if err != nil {
		return err
	}
	distribute(rows, contacts, func(r *leads.Row, c leads.Contact) { r.Contacts = append(r.Contacts, c) })
	return nil
}

func scanRow(memberID string, widths leads.Widths) func(scanner) (leads.Row, error) {
	return func(row scanner) (leads.Row, error) {
		r := leads.Row{Ref: leads.Ref{MemberID: memberID}, Widths: widths, Columns: make([]string, len(leads.Fields))}
		var deleted, absent time.Time
		var raw string
		dest := []any{
			&r.LeadID, &r.Ticket, &r.Revision,
			instantColumn{&deleted},
			instantColumn{&absent},
			textColumn{&r.Hash},
			textColumn{&raw},
			instantColumn{&r.CreatedAt},
			instantColumn{&r.ModifiedAt},
		}
		for i := range r.Columns {
			dest = append(dest, textColumn{&r.Columns[i]})
		}
		if err := row.Scan(dest...); err != nil {
			return leads.Row{}, err
		}
		r.Deleted, r.Absent = !deleted.IsZero(), !absent.IsZero()
		if raw != "" {
			r.Raw = json.RawMessage(raw)
		}
		return r, nil
	}
}

func scanContact(row scanner) (c ofLead[leads.Contact], err error) {
	err = row.Scan(&c.leadID, textColumn{&c.value.ID}, textColumn{&c.value.TypeID}, textColumn{&c.value.ValueType}, textColumn{&c.value.Value})
	return c, err
}

// Missing returns the ids of leads that have been absent for at least the grace period and
// must be read once more before they are deleted; sorted, at most limit. It returns none
// while the breaker is open, because nothing could be deleted.
func (d *DB) Missing(ctx context.Context, memberID string, limit int) ([]int64, error) {
	ctx = patient(ctx)
	now := d.now()
	ids, err := queryList(ctx, d, scanInt, d.dialect.sql.LeadsMissing, sql.Named("member_id", memberID),
		sql.Named("until", instant(now.Add(-d.grace))), sql.Named("now", instant(now)), sql.Named("limit", limit))
	if err != nil || len(ids) == 0 {
		return nil, wrap(err, "missing leads of %s", memberID)
	}
	if b, err := d.HeldBack(ctx, memberID); err != nil || b.Open() {
		return nil, err
	}
	return ids, nil
}

// CountLeads returns the number of the portal's rows, without tombstones.
func (d *DB) CountLeads(ctx context.Context, memberID string) (int64, error) {
	ctx = patient(ctx)
	n, _, err := queryOne(ctx, d, scanInt, d.dialect.sql.LeadsCount, sql.Named("member_id", memberID))
	return n, wrap(err, "count leads of %s", memberID)
}

// wrap adds to err what was being done; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
