package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// The breaker: of so few rows deletions are never stopped; of more, at this share; and
// deletions count for so long.
const (
	deleteFloor  = 100
	deleteShare  = 50 // one row in 50 is 2 %
	deleteWindow = time.Hour
)

// Breaker is how near the portal is to having its deletions stopped.
func (d *DB) Breaker(ctx context.Context, memberID string) (leads.Breaker, error) {
	b, err := d.breaker(ctx, d.read, memberID, true)
	return b, wrapped(d.explain(ctx, err), "breaker of %s", memberID)
}

// AllowDeletions lets that many deletions of the portal pass until a moment; 0 takes
// that back.
func (d *DB) AllowDeletions(ctx context.Context, memberID string, deletes int64, until time.Time) error {
	member := sql.Named("member_id", memberID)
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.AllowanceDelete, member); err != nil || deletes == 0 {
			return err
		}
		_, err := tx.ExecContext(ctx, d.dialect.sql.AllowanceInsert, member,
			sql.Named("max_deletes", deletes), sql.Named("until_at", instant(until)))
		return err
	})
	return wrapped(err, "allow %d deletions of %s", deletes, memberID)
}

// breaker counts. All rows are counted only where the limit hangs on them, or is asked
// for: of a million that takes a while.
func (d *DB) breaker(ctx context.Context, q querier, memberID string, exactly bool) (b leads.Breaker, err error) {
	member, now := sql.Named("member_id", memberID), d.now()
	b.Candidates, err = number(ctx, q, d.dialect.sql.LeadsCandidates, member, sql.Named("since", instant(now.Add(-deleteWindow))))
	if err != nil {
		return b, fmt.Errorf("count what waits to be deleted: %w", err)
	}
	allowed, err := number(ctx, q, d.dialect.sql.AllowanceGet, member, sql.Named("now", instant(now)))
	if err != nil {
		return b, fmt.Errorf("look up what is allowed: %w", err)
	}
	b.Limit = max(d.deleteFloor, allowed)
	if !exactly && !b.Open() {
		return b, nil
	}
	rows, err := number(ctx, q, d.dialect.sql.LeadsCount, member)
	b.Limit = max(b.Limit, rows/deleteShare)
	return b, err
}

// number reads one number; 0 where there is no row.
func number(ctx context.Context, q querier, statement string, args ...any) (n int64, err error) {
	err = q.QueryRowContext(ctx, statement, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}

// guard withholds the deletions of one portal's items where there are too many at once,
// whoever asked for them: a pass, a second look, or delete callbacks.
func (d *DB) guard(ctx context.Context, tx *sql.Tx, items []item, now time.Time) error {
	var deletes, fresh int64
	for i := range items {
		verdict := items[i].step.outcome.Verdict
		if verdict == leads.Deleted {
			deletes++
		}
		if (verdict == leads.Deleted || verdict == leads.Missing) && items[i].row.absentSince.IsZero() {
			fresh++
		}
	}
	if deletes == 0 {
		return nil
	}
	member := items[0].snapshot.MemberID
	b, err := d.breaker(ctx, tx, member, false)
	if err != nil {
		return err
	}
	if b.Candidates += fresh; !b.Open() {
		return nil
	}
	if b, err = d.breaker(ctx, tx, member, true); err != nil {
		return err
	}
	if b.Candidates += fresh; !b.Open() {
		return nil
	}
	d.log.ErrorContext(ctx, "deletions are stopped: too many at once; look why, then allow them by leadsync reconcile --max-deletes",
		"member_id", member, "candidates", b.Candidates, "limit", b.Limit)
	for i := range items {
		items[i].step.withhold(items[i].row, now)
	}
	return nil
}

// withhold makes a deletion a note that the lead is absent.
func (st *step) withhold(row *current, now time.Time) {
	if st.outcome.Verdict != leads.Deleted {
		return
	}
	st.outcome.Verdict, st.outcome.Revision, st.kind = leads.Withheld, row.revision, ""
	st.deleted, st.absent = time.Time{}, row.absentSince
	if st.absent.IsZero() {
		st.absent = now
	}
}
