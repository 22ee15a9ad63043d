package repo

import (
	"context"
	"database/sql"
	"fmt"
)

// RaiseEpoch makes owner the portal's owner and returns the epoch under which its
// tickets count: one more than the last. Apply refuses tickets of earlier epochs from
// then on. The first portal that gets an owner also gets the rows of an adopted database.
func (d *DB) RaiseEpoch(ctx context.Context, memberID, owner string) (epoch int64, err error) {
	member := sql.Named("member_id", memberID)
	args := []any{member, sql.Named("owner", owner), sql.Named("taken_at", instant(d.now()))}
	adopted := int64(0)
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.OwnerInsert, args...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.dialect.sql.OwnerRaise, args...); err != nil {
			return err
		}
		if adopted, err = d.adopt(ctx, tx, member); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, d.dialect.sql.OwnerEpoch, member).Scan(&epoch)
	})
	if err != nil {
		return 0, fmt.Errorf("raise the epoch of %s: %w", memberID, err)
	}
	if adopted > 0 {
		d.log.InfoContext(ctx, "rows that were in the database before are this portal's now", "member_id", memberID, "leads", adopted)
	}
	return epoch, nil
}

// adopt gives the rows of an adopted database, which belong to nobody yet, to a portal,
// unless they are known to be another's, and tells how many leads those were.
func (d *DB) adopt(ctx context.Context, tx *sql.Tx, member sql.NamedArg) (int64, error) {
	s := d.dialect.sql
	var waiting int64
	if err := tx.QueryRowContext(ctx, s.AdoptAsk, member).Scan(&waiting); err != nil || waiting == 0 {
		return 0, err
	}
	adopted, err := affect(ctx, tx, s.AdoptLeads, member)
	if err != nil || adopted == 0 { // another portal was quicker
		return 0, err
	}
	for _, statement := range []string{s.AdoptContacts, s.AdoptSolutions, s.AdoptFailures, s.AdoptDuplicates} {
		if _, err := tx.ExecContext(ctx, statement, member); err != nil {
			return 0, err
		}
	}
	return adopted, nil
}
