package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// The breaker stops the deletions of a portal when more rows than the limit wait to be
// deleted or were deleted of late.
const (
	deleteFloor  = 100       // the lowest limit, in rows
	deleteShare  = 50        // the limit is one row in 50, 2 %, where that is more
	deleteWindow = time.Hour // how long a deletion counts
)

// Breaker returns how many deletions of the portal count now, and its limit.
func (d *DB) Breaker(ctx context.Context, memberID string) (leads.Breaker, error) {
	ctx, cancel := d.limits.within(patient(ctx))
	defer cancel()
	b, err := d.breaker(ctx, d.read, memberID, true)
	return b, wrap(d.explain(ctx, err), "breaker of %s", memberID)
}

// HeldBack is Breaker for those who ask all the time: the limit is exact only where deletions
// are held back, because that takes counting all rows.
func (d *DB) HeldBack(ctx context.Context, memberID string) (leads.Breaker, error) {
	b, err := d.breaker(ctx, d.read, memberID, false)
	return b, wrap(d.explain(ctx, err), "breaker of %s", memberID)
}

// AllowDeletions raises the portal's limit to that many deletions until the given time; 0
// revokes an earlier allowance.
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
	return wrap(err, "allow %d deletions of %s", deletes, memberID)
}

// breaker counts deletions and finds the limit. Counting all rows takes a while for a
// million of them, so unless exactly is set it does so only where the limit depends on it.
func (d *DB) breaker(ctx context.Context, q querier, memberID string, exactly bool) (b leads.Breaker, err error) {
	member, now := sql.Named("member_id", memberID), d.now()
	b.Candidates, err = number(ctx, q, d.dialect.sql.LeadsCandidates, member, sql.Named("since", instant(now.Add(-deleteWindow))))
	if err != nil {
		return b, fmt.Errorf("count rows to delete: %w", err)
	}
	allowed, err := number(ctx, q, d.dialect.sql.AllowanceGet, member, sql.Named("now", instant(now)))
	if err != nil {
		return b, fmt.Errorf("read the allowance: %w", err)
	}
	b.Limit = max(d.deleteFloor, allowed)
	if !exactly && !b.Open() {
		return b, nil
	}
	rows, err := number(ctx, q, d.dialect.sql.LeadsCount, member)
	b.Limit = max(b.Limit, rows/deleteShare)
	return b, err
}

// number reads one number; 0 where the statement returns no row.
func number(ctx context.Context, q querier, statement string, args ...any) (n int64, err error) {
	err = q.QueryRowContext(ctx, statement, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}

// applyBreaker withholds the deletions of one portal's entries where there are too many
// at once, whatever caused them: a pass, a second read, or delete callbacks.
func (d *DB) applyBreaker(ctx context.Context, tx *sql.Tx, entries []entry, now time.Time) error {
	var deletes, candidates int64
	for i := range entries {
		verdict := entries[i].decision.outcome.Verdict
		if verdict == leads.Deleted {
			deletes++
		}
		if (verdict == leads.Deleted || verdict == leads.Missing) && entries[i].row.absentSince.IsZero() {
			candidates++
		}
	}
	if deletes == 0 {
		return nil
	}
	member := entries[0].snapshot.MemberID
	b, err := d.breaker(ctx, tx, member, false)
	if err != nil {
		return err
	}
	if b.Candidates += candidates; !b.Open() {
		return nil
	}
	if b, err = d.breaker(ctx, tx, member, true); err != nil {
		return err
	}
	if b.Candidates += candidates; !b.Open() {
		return nil
	}
	d.log.ErrorContext(ctx, "too many deletions at once, deletions stopped; find out why, then allow them with leadsync reconcile --max-deletes",
		"member_id", member, "candidates", b.Candidates, "limit", b.Limit)
	for i := range entries {
		entries[i].decision.withhold(entries[i].row, now)
	}
	return nil
}

// withhold turns a deletion into a note that the lead is absent.
func (d *decision) withhold(row *storedRow, now time.Time) {
	if d.outcome.Verdict != leads.Deleted {
		return
	}
	d.outcome.Verdict, d.outcome.Revision, d.kind = leads.Withheld, row.revision, ""
	d.deleted, d.absent = time.Time{}, row.absentSince
	if d.absent.IsZero() {
		d.absent = now
	}
}
