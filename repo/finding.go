package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"leadsync/leads"
)

var findingColumns = []string{"run_id", "member_id", "lead_id", "kind", "fields", "found_at", "repaired"}

// AddFindings writes what a run found, all or nothing. A zero FoundAt is now.
func (d *DB) AddFindings(ctx context.Context, findings []leads.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	rows := make([][]any, len(findings))
	for i, f := range findings {
		fields, err := json.Marshal(append([]string{}, f.Fields...)) // [] rather than null
		if err != nil {
			return err
		}
		if f.FoundAt.IsZero() {
			f.FoundAt = d.now()
		}
		rows[i] = []any{
			f.RunID, f.Ref.MemberID, f.Ref.LeadID, string(f.Kind), string(fields),
			instant(f.FoundAt), f.Repaired.String(),
		}
	}
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return loadPrepared(ctx, tx, target{insert: d.dialect.sql.FindingInsert, columns: findingColumns}, rows)
	})
	if err != nil {
		return fmt.Errorf("add findings: %w", err)
	}
	return nil
}

// Findings are what a run found, in the order in which it did.
func (d *DB) Findings(ctx context.Context, runID string) ([]leads.Finding, error) {
	findings, err := list(ctx, d, scanFinding, d.dialect.sql.FindingList, sql.Named("run_id", runID))
	if err != nil {
		return nil, fmt.Errorf("findings of %s: %w", runID, err)
	}
	return findings, nil
}

func scanFinding(row scanner) (f leads.Finding, err error) {
	var fields, repaired string
	err = row.Scan(&f.RunID, &f.Ref.MemberID, &f.Ref.LeadID, &f.Kind, &fields, instantColumn{&f.FoundAt}, &repaired)
	if err != nil {
		return leads.Finding{}, err
	}
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		if v.String() == repaired {
			f.Repaired = v
		}
	}
	if err := json.Unmarshal([]byte(fields), &f.Fields); err != nil {
		return leads.Finding{}, fmt.Errorf("fields of a finding: %w", err)
	}
	if len(f.Fields) == 0 {
		f.Fields = nil
	}
	return f, nil
}
