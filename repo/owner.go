package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// RaiseEpoch makes the process owner the portal's owner and returns its epoch, one more
// than the last. From then on Apply rejects tickets of earlier epochs. Where it is plain that
// the rows of an adopted database are the portal's, it gets them; that may take minutes.
func (d *DB) RaiseEpoch(ctx context.Context, memberID, owner string) (epoch int64, err error) {
	ctx = patient(ctx) // adopted rows may be many
	member := sql.Named("member_id", memberID)
	args := []any{member, sql.Named("owner", owner), sql.Named("taken_at", instant(d.now()))}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.OwnerInsert, args...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.dialect.sql.OwnerRaise, args...); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, d.dialect.sql.OwnerEpoch, member).Scan(&epoch)
	})
	if err != nil {
		return 0, fmt.Errorf("raise the epoch of %s: %w", memberID, err)
	}
	err = d.claimByItself(ctx, memberID)
	if err != nil && (ctx.Err() != nil || errors.Is(err, ErrUnavailable)) {
		return 0, fmt.Errorf("raise the epoch of %s: %w", memberID, err)
	}
	if err != nil { // the portal can be served without them, and they wait for a person
		d.log.ErrorContext(ctx, "existing rows of the database could not be given to this portal, serving it without them", "member_id", memberID, "error", err)
	}
	return epoch, nil
}
