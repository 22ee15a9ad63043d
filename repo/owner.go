package repo

import (
	"context"
	"database/sql"
	"fmt"
)

// RaiseEpoch makes owner the portal's owner and returns the epoch under which its
// tickets count: one more than the last. Apply refuses tickets of earlier epochs from
// then on.
func (d *DB) RaiseEpoch(ctx context.Context, memberID, owner string) (epoch int64, err error) {
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
	return epoch, nil
}
