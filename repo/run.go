package repo

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"

	"leadsync/leads"
)

// RequestRun stores a request for a pass, which the portal's owner will run, and returns its
// id. A portal has at most one run of a mode that has not read anything yet, not counting
// dry runs: if there is one already, RequestRun returns its id instead. A run that has read
// something does not answer the request, because leads may have changed since: a new run
// follows it. An empty ID is generated, a zero
// RequestedAt means now, and State is ignored.
func (d *DB) RequestRun(ctx context.Context, run leads.Run) (id string, err error) {
	if run.ID == "" {
		run.ID = uuid.NewString()
	}
	if run.RequestedAt.IsZero() {
		run.RequestedAt = d.now()
	}
	args := []any{
		sql.Named("id", run.ID), sql.Named("member_id", run.MemberID), sql.Named("mode", string(run.Mode)),
		sql.Named("state", string(leads.RunRequested)), sql.Named("dry_run", run.DryRun),
		sql.Named("requested_at", instant(run.RequestedAt)), sql.Named("max_deletes", run.MaxDeletes),
	}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.RunInsert, args...); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, d.dialect.sql.RunUnfinished, args[1], args[2], args[4]).Scan(&id)
	})
	if err != nil {
		return "", fmt.Errorf("request a run of %s: %w", run.MemberID, err)
	}
	return id, nil
}

// claim is a run that the owner may take.
type claim struct {
	id       string
	state    string
	wasEpoch int64
	epoch    int64 // the portal's epoch now
}

// ClaimRun takes the oldest run that is requested, or that a former owner (of an earlier
// epoch) left running, and marks it as running. A run of a former owner keeps its
// checkpoint, sums and start time. It returns false where there is no such run; owners ask
// twice a second, so it begins a transaction only where there is one.
func (d *DB) ClaimRun(ctx context.Context, memberID string) (run leads.Run, ok bool, err error) {
	_, waits, err := queryOne(ctx, d, scanClaim, d.dialect.sql.RunNext, sql.Named("member_id", memberID))
	if err != nil || !waits {
		return leads.Run{}, false, wrap(err, "look for a run of %s", memberID)
	}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		run, ok, err = d.claimRun(ctx, tx, memberID)
		return err
	})
	if err != nil {
		return leads.Run{}, false, fmt.Errorf("claim a run of %s: %w", memberID, err)
	}
	return run, ok, nil
}

func (d *DB) claimRun(ctx context.Context, tx *sql.Tx, memberID string) (leads.Run, bool, error) {
	next, err := query(ctx, tx, scanClaim, d.dialect.sql.RunNext, sql.Named("member_id", memberID))
	if err != nil || len(next) == 0 {
		return leads.Run{}, false, err
	}
	c := next[0]
	n, err := affect(ctx, tx, d.dialect.sql.RunClaim, sql.Named("id", c.id), sql.Named("was_state", c.state),
		sql.Named("was_epoch", c.wasEpoch), sql.Named("epoch", c.epoch), sql.Named("started_at", instant(d.now())))
	if err != nil {
		return leads.Run{}, false, err
	}
	if n == 0 {
		return leads.Run{}, false, errStale
	}
	run, err := scanRun(tx.QueryRowContext(ctx, d.dialect.sql.RunGet, sql.Named("id", c.id)))
	return run, err == nil, err
}

func scanClaim(row scanner) (c claim, err error) {
	err = row.Scan(&c.id, &c.state, &c.wasEpoch, &c.epoch)
	return c, err
}

// SaveRun stores the progress of a run: state, times, checkpoint, error and sums. It returns
// ErrNotOwner where a later owner has claimed the run, leads.ErrPaused where an operator
// has paused it or given it up meanwhile (the checkpoint is stored), and another error
// where the run is unknown.
func (d *DB) SaveRun(ctx context.Context, run leads.Run) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.saveRun(ctx, tx, run) })
	if err == nil {
		err = d.stillWanted(ctx, run)
	}
	return wrap(err, "save run %s", run.ID)
}

func (d *DB) saveRun(ctx context.Context, tx *sql.Tx, run leads.Run) error {
	n, err := affect(ctx, tx, d.dialect.sql.RunUpdate,
		sql.Named("id", run.ID), sql.Named("state", string(run.State)), sql.Named("claimed_epoch", run.Epoch),
		sql.Named("started_at", instant(run.StartedAt)), sql.Named("finished_at", instant(run.FinishedAt)),
		sql.Named("checkpoint_id", run.Checkpoint), sql.Named("error", text(run.Error)),
		sql.Named("scanned", run.Scanned), sql.Named("unchanged", run.Unchanged), sql.Named("missed", run.Missed),
		sql.Named("stale", run.Stale), sql.Named("phantom", run.Phantom), sql.Named("unreadable", run.Unreadable),
		sql.Named("rows_inserted", run.Inserted), sql.Named("rows_updated", run.Updated),
		sql.Named("rows_deleted", run.Deleted), sql.Named("requests", run.Requests),
		sql.Named("since_at", zoned(run.Since)), sql.Named("portal_at", zoned(run.PortalAt)), sql.Named("refused", run.Refused),
		sql.Named("unprocessable", run.Unprocessable), sql.Named("failing", run.Failing))
	if err != nil || n > 0 {
		return err
	}
	if _, err := scanRun(tx.QueryRowContext(ctx, d.dialect.sql.RunGet, sql.Named("id", run.ID))); err != nil {
		return err
	}
	return fmt.Errorf("%w: another owner has claimed run %s", ErrNotOwner, run.ID)
}

// stillWanted returns leads.ErrPaused where an operator has paused or given up a running run.
func (d *DB) stillWanted(ctx context.Context, run leads.Run) error {
	if run.State != leads.RunRunning {
		return nil
	}
	now, ok, err := queryOne(ctx, d, scanRun, d.dialect.sql.RunGet, sql.Named("id", run.ID))
	if err == nil && ok && now.State != leads.RunRunning {
		return leads.ErrPaused
	}
	return err
}

// StopRun pauses a run at its checkpoint, or gives it up as incomplete with a reason; false
// where the run has ended already.
func (d *DB) StopRun(ctx context.Context, id string, state leads.RunState, reason string) (bool, error) {
	finished := sql.NullString{}
	if state == leads.RunIncomplete {
		finished = instant(d.now())
	}
	n, err := d.exec(ctx, d.dialect.sql.RunStop, sql.Named("id", id), sql.Named("state", string(state)),
		sql.Named("finished_at", finished), sql.Named("error", text(reason)))
	return n > 0, wrap(err, "stop run %s", id)
}

// ResumeRun requests that a paused run continues from its checkpoint; false where it is not
// paused, or another run of its mode has been requested since.
func (d *DB) ResumeRun(ctx context.Context, run leads.Run) (bool, error) {
	n, err := d.exec(ctx, d.dialect.sql.RunResume, sql.Named("id", run.ID), sql.Named("member_id", run.MemberID),
		sql.Named("mode", string(run.Mode)), sql.Named("max_deletes", run.MaxDeletes))
	return n > 0, wrap(err, "resume run %s", run.ID)
}

// Run returns one run; false where it is unknown.
func (d *DB) Run(ctx context.Context, id string) (leads.Run, bool, error) {
	run, ok, err := queryOne(ctx, d, scanRun, d.dialect.sql.RunGet, sql.Named("id", id))
	if err != nil {
		return leads.Run{}, false, fmt.Errorf("run %s: %w", id, err)
	}
	return run, ok, nil
}

// Runs returns a portal's runs, newest first; at most limit.
func (d *DB) Runs(ctx context.Context, memberID string, limit int) ([]leads.Run, error) {
	runs, err := queryList(ctx, d, scanRun, d.dialect.sql.RunList, sql.Named("member_id", memberID), sql.Named("limit", limit))
	if err != nil {
		return nil, fmt.Errorf("runs of %s: %w", memberID, err)
	}
	return runs, nil
}

// LastCompleted returns the portal's newest completed run of any mode, without dry runs,
// which repair nothing; false where there is none.
func (d *DB) LastCompleted(ctx context.Context, memberID string) (leads.Run, bool, error) {
	run, ok, err := queryOne(ctx, d, scanRun, d.dialect.sql.RunLastCompleted, sql.Named("member_id", memberID))
	if err != nil {
		return leads.Run{}, false, fmt.Errorf("last completed run of %s: %w", memberID, err)
	}
	return run, ok, nil
}

// LastFull returns the newest requested full pass, imports included, in whatever state;
// without dry runs. It returns false where there is none.
func (d *DB) LastFull(ctx context.Context, memberID string) (leads.Run, bool, error) {
	run, ok, err := queryOne(ctx, d, scanRun, d.dialect.sql.RunLastFull, sql.Named("member_id", memberID))
	return run, ok, wrap(err, "last full run of %s", memberID)
}

// LastEnded returns the newest full pass, imports included, that has ended, completed or given
// up; without dry runs. It returns false where there is none.
func (d *DB) LastEnded(ctx context.Context, memberID string) (leads.Run, bool, error) {
	run, ok, err := queryOne(ctx, d, scanRun, d.dialect.sql.RunLastEnded, sql.Named("member_id", memberID))
	return run, ok, wrap(err, "last ended run of %s", memberID)
}

// Watermark returns the start of the newest completed pass that read the leads.
func (d *DB) Watermark(ctx context.Context, memberID string) (leads.Watermark, error) {
	mark, _, err := queryOne(ctx, d, func(row scanner) (w leads.Watermark, err error) {
		err = row.Scan(zonedColumn{&w.At}, instantColumn{&w.Began})
		return w, err
	}, d.dialect.sql.RunWatermark, sql.Named("member_id", memberID))
	return mark, wrap(err, "watermark of %s", memberID)
}

func scanRun(row scanner) (r leads.Run, err error) {
	err = row.Scan(&r.ID, &r.MemberID, &r.Mode, &r.State, &r.DryRun,
		instantColumn{&r.RequestedAt}, instantColumn{&r.StartedAt}, instantColumn{&r.FinishedAt},
		&r.Checkpoint, textColumn{&r.Error}, &r.Scanned, &r.Unchanged, &r.Missed, &r.Stale, &r.Phantom,
		&r.Unreadable, &r.Inserted, &r.Updated, &r.Deleted, &r.Requests,
		&r.Epoch, &r.MaxDeletes, zonedColumn{&r.Since}, zonedColumn{&r.PortalAt}, &r.Refused, &r.Unprocessable, &r.Failing)
	return r, err
}
