package repo

import (
	"context"
	"database/sql"

	"leadsync/leads"
)

// FindingPage returns at most limit findings of a run, in the order in which they were found,
// of one kind or, with "", of all: those behind after, which is the next of the page before and
// 0 for the first. Where there is no further page, next is 0.
func (d *DB) FindingPage(ctx context.Context, runID string, kind leads.FindingKind, after int64, limit int) (page []leads.Finding, next int64, err error) {
	var last int64
	found, err := queryList(ctx, d, func(row scanner) (leads.Finding, error) { return scanFinding(numbered{row, &last}) }, d.dialect.sql.FindingPage,
		sql.Named("run_id", runID), sql.Named("kind", string(kind)), sql.Named("after", after), sql.Named("limit", limit))
	if err != nil {
		return nil, 0, wrap(err, "findings of run %s", runID)
	}
	if len(found) == limit {
		next = last
	}
	return found, next, nil
}

// numbered is a row whose first column is its number.
type numbered struct {
	scanner

	id *int64
}

// Scan implements scanner.
func (n numbered) Scan(to ...any) error { return n.scanner.Scan(append([]any{n.id}, to...)...) }
