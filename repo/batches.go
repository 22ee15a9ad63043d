package repo

import (
	"context"
	"database/sql"
)

// adoptBatch is how many rows of an adopted database one transaction changes: so few that SQL
// Server does not lock the whole table, which it does at 5,000 locks on a table or an index (an
// index takes two for a row), and that its log can be cut off in between.
const adoptBatch = 2000

// Progress is how far work on an adopted database has come.
type Progress struct {
	Step        string // what is being done, in words
	Done, Total int64  // rows; Total is 0 where it is not known, and both where one statement does it all
}

// reporter takes the progress of a step; it may be nil.
type reporter func(Progress)

func (r reporter) say(step string, done, total int64) {
	if r != nil {
		r(Progress{Step: step, Done: done, Total: total})
	}
}

// batches is work on the rows of a table that a condition chooses, in the order of their Id.
type batches struct {
	step  string
	total int64
	upto  string // asks for the highest Id of the next batch, NULL where no row is left
	// do works on the rows whose Id is above @after and at most @upto.
	do func(ctx context.Context, tx *sql.Tx, from, to sql.NamedArg) (tally, error)
}

// tally counts rows that batches have changed, moved and deleted.
type tally struct{ changed, moved, deleted int64 }

// beforeAll is below every Id, which is an int.
const beforeAll = -1 << 40

// inBatches does the work, each batch in a transaction of its own, and counts. What was done
// stays done if it is interrupted.
func (d *DB) inBatches(ctx context.Context, b batches, report reporter) (sum tally, err error) {
	for after := int64(beforeAll); ; {
		var upto sql.NullInt64
		var n tally
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			from := sql.Named("after", after)
			err := tx.QueryRowContext(ctx, b.upto, from, sql.Named("most", d.adoptBatch)).Scan(&upto)
			if err == nil && upto.Valid {
				n, err = b.do(ctx, tx, from, sql.Named("upto", upto.Int64))
			}
			return err
		})
		if err != nil || !upto.Valid {
			return sum, err
		}
		sum = tally{sum.changed + n.changed, sum.moved + n.moved, sum.deleted + n.deleted}
		after = upto.Int64
		report.say(b.step, sum.changed+sum.moved, b.total)
	}
}

// askInTransaction is query where an interrupted connection has it run again.
func askInTransaction[T any](ctx context.Context, d *DB, scan func(scanner) (T, error), statement string) (list []T, err error) {
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		list, err = query(ctx, tx, scan, statement)
		return err
	})
	return list, err
}

// moveDuplicates moves rows of bitrix_leads to leadsync_duplicate_leads.
func (d *DB) moveDuplicates(ctx context.Context, tx *sql.Tx, memberID string, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	which, err := idList(ids)
	if err != nil {
		return err
	}
	list := sql.Named("ids", which)
	if _, err := tx.ExecContext(ctx, d.dialect.sql.DuplicatesInsert, list, sql.Named("member_id", memberID)); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, d.dialect.sql.DuplicatesDelete, list)
	return err
}
