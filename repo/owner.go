package repo

import (
	"context"
	"database/sql"
	"fmt"
)

// RaiseEpoch makes the process owner the portal's owner and returns its epoch, one more
// than the last. From then on Apply rejects tickets of earlier epochs. The first portal
// that gets an owner also gets the rows of an adopted database.
func (d *DB) RaiseEpoch(ctx context.Context, memberID, owner string) (epoch int64, err error) {
	ctx = patient(ctx) // adopted rows may be many
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
		d.log.InfoContext(ctx, "existing rows of the database now belong to this portal", "member_id", memberID, "leads", adopted)
	}
	return epoch, nil
}

// adopt assigns the rows of an adopted database to the portal, unless they belong to a
// portal already or are known to be another's. It returns the number of leads.
func (d *DB) adopt(ctx context.Context, tx *sql.Tx, member sql.NamedArg) (int64, error) {
	s := d.dialect.sql
	var waiting int64
	if err := tx.QueryRowContext(ctx, s.AdoptAsk, member).Scan(&waiting); err != nil || waiting == 0 {
		return 0, err
	}
	adopted, err := affect(ctx, tx, s.AdoptLeads, member)
	if err != nil || adopted == 0 { // another portal was faster
		return 0, err
	}
	for _, statement := range []string{s.AdoptContacts, s.AdoptSolutions, s.AdoptFailures, s.AdoptDuplicates} {
		if _, err := tx.ExecContext(ctx, statement, member); err != nil {
			return 0, err
		}
	}
	return adopted, nil
}
