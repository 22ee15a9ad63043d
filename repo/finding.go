package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"leadsync/leads"
)

var findingColumns = []string{"run_id", "member_id", "lead_id", "kind", "fields", "found_at", "repaired", "cause", "seconds_behind"}

// AddFindings stores differences that a run found, all or none. A zero FoundAt means now.
func (d *DB) AddFindings(ctx context.Context, findings []leads.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.addFindings(ctx, tx, findings) })
	return wrap(err, "add findings")
}

func (d *DB) addFindings(ctx context.Context, tx *sql.Tx, findings []leads.Finding) error {
	rows := make([][]any, len(findings))
	for i, f := range findings {
		fields, err := json.Marshal(append([]string{}, f.Fields...)) // [] rather than null
		if err != nil {
			return err
		}
		if f.FoundAt.IsZero() {
			f.FoundAt = d.now()
		}
		behind := sql.NullInt64{Int64: int64(f.Behind / time.Second), Valid: f.Behind != 0}
		rows[i] = []any{
			f.RunID, f.Ref.MemberID, f.Ref.LeadID, string(f.Kind), string(fields),
			instant(f.FoundAt), f.Repaired.String(), text(clipped(f.Cause, causeMax)), behind,
		}
	}
	return loadPrepared(ctx, tx, target{insert: d.dialect.sql.FindingInsert, columns: findingColumns}, rows)
}

// causeMax is the width of the columns cause and detail, in UTF-16 units.
const causeMax = 1000

func clipped(s string, units int) string { return leads.Field{Max: units}.Column(s) }

// Settle records in one transaction that a run has finished everything up to its
// checkpoint: the findings replace those that were noted before the repairs, and the run's
// checkpoint and sums are saved. It returns the errors of SaveRun.
func (d *DB) Settle(ctx context.Context, run leads.Run, found []leads.Finding) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := d.saveRun(ctx, tx, run); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.dialect.sql.FindingPendingDelete,
			sql.Named("run_id", run.ID), sql.Named("up_to", run.Checkpoint)); err != nil {
			return err
		}
		if len(found) == 0 {
			return nil
		}
		return d.addFindings(ctx, tx, found)
	})
	if err == nil {
		err = d.stillWanted(ctx, run)
	}
	return wrap(err, "settle run %s", run.ID)
}

// Noted returns the findings that a run stored before a repair and has not settled.
func (d *DB) Noted(ctx context.Context, runID string) ([]leads.Finding, error) {
	noted, err := queryList(ctx, d, scanFinding, d.dialect.sql.FindingPendingList, sql.Named("run_id", runID))
	return noted, wrap(err, "findings noted by run %s", runID)
}

// Unconfirmed returns the ids of leads that a run found absent only once, above after and
// sorted; at most limit.
func (d *DB) Unconfirmed(ctx context.Context, runID string, after int64, limit int) ([]int64, error) {
	ids, err := queryList(ctx, d, scanInt, d.dialect.sql.FindingMissingList,
		sql.Named("run_id", runID), sql.Named("after", after), sql.Named("limit", limit))
	return ids, wrap(err, "unconfirmed leads of run %s", runID)
}

// Confirm records the outcomes of reading absent leads again, with the run's sums. It
// returns the errors of SaveRun.
func (d *DB) Confirm(ctx context.Context, run leads.Run, outcomes []leads.Outcome) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, o := range outcomes {
			if _, err := tx.ExecContext(ctx, d.dialect.sql.FindingUpdate, sql.Named("run_id", run.ID),
				sql.Named("lead_id", o.LeadID), sql.Named("repaired", o.Verdict.String())); err != nil {
				return err
			}
		}
		return d.saveRun(ctx, tx, run)
	})
	if err == nil {
		err = d.stillWanted(ctx, run)
	}
	return wrap(err, "confirm deletions of run %s", run.ID)
}

// Findings returns the findings of a run in the order in which they were found.
func (d *DB) Findings(ctx context.Context, runID string) ([]leads.Finding, error) {
	findings, err := queryList(ctx, d, scanFinding, d.dialect.sql.FindingList, sql.Named("run_id", runID))
	if err != nil {
		return nil, fmt.Errorf("findings of run %s: %w", runID, err)
	}
	return findings, nil
}

// FindingsOf returns the newest findings of a lead, at most limit, the newest first.
func (d *DB) FindingsOf(ctx context.Context, ref leads.Ref, limit int) ([]leads.Finding, error) {
	findings, err := queryList(ctx, d, scanFinding, d.dialect.sql.FindingListLead,
		sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID), sql.Named("limit", limit))
	return findings, wrap(err, "findings of %s", ref)
}

func scanFinding(row scanner) (f leads.Finding, err error) {
	var fields, repaired string
	var behind sql.NullInt64
	err = row.Scan(&f.RunID, &f.Ref.MemberID, &f.Ref.LeadID, &f.Kind, &fields, instantColumn{&f.FoundAt}, &repaired,
		textColumn{&f.Cause}, &behind)
	if err != nil {
		return leads.Finding{}, err
	}
	f.Behind = time.Duration(behind.Int64) * time.Second
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		if v.String() == repaired {
			f.Repaired = v
		}
	}
	if err := json.Unmarshal([]byte(fields), &f.Fields); err != nil {
		return leads.Finding{}, fmt.Errorf("read the fields of a finding: %w", err)
	}
	if len(f.Fields) == 0 {
		f.Fields = nil
	}
	return f, nil
}
