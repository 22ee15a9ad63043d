package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"leadsync/leads"
)

// Callers are the leads of a number, told by leads.Phone.Digits, by rank; at most limit.
// No error of it names the number.
func (d *DB) Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error) {
	var found []leads.Caller
	statement, err := d.callers.on(ctx, d.read, d.dialect.sql.CallersList)
	if err == nil {
		found, err = query(ctx, statement, scanCaller, "", sql.Named("digits10", digits), sql.Named("limit", limit))
	}
	if err != nil {
		return nil, fmt.Errorf("leads of a number: %w", d.explain(ctx, err))
	}
	for i := range found {
		found[i].Rank = i + 1
	}
	return found, nil
}

// prepared is a statement that is parsed once: an operator waits for its answer, and
// parsing takes most of it.
type prepared struct{ statement atomic.Pointer[sql.Stmt] }

// on prepares the statement, where that has not been done: its tables may not have been
// there at the start. Nobody waits for another's attempt: a database that does not answer
// would hold up everybody, one after the other.
func (p *prepared) on(ctx context.Context, pool *sql.DB, text string) (ready, error) {
	if statement := p.statement.Load(); statement != nil {
		return ready{statement}, nil
	}
	statement, err := pool.PrepareContext(ctx, text)
	if err != nil {
		return ready{}, err
	}
	if !p.statement.CompareAndSwap(nil, statement) {
		_ = statement.Close() //nolint:sqlclosecheck // another was quicker: only then
	}
	return ready{p.statement.Load()}, nil
}

// ready is a prepared statement in the place of a text.
type ready struct{ *sql.Stmt }

// QueryContext implements querier.
func (r ready) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return r.Stmt.QueryContext(ctx, args...)
}

// QueryRowContext implements querier.
func (r ready) QueryRowContext(ctx context.Context, _ string, args ...any) *sql.Row {
	return r.Stmt.QueryRowContext(ctx, args...)
}

func scanCaller(row scanner) (c leads.Caller, err error) {
	err = row.Scan(&c.Digits, textColumn{&c.E164}, textColumn{&c.Extension}, &c.MemberID, &c.LeadID,
		textColumn{&c.Title}, textColumn{&c.Name}, textColumn{&c.Company}, textColumn{&c.ResponsibleID}, textColumn{&c.StatusID},
		&c.Open, instantColumn{&c.CreatedAt}, instantColumn{&c.ModifiedAt}, instantColumn{&c.ReadAt}, textColumn{&c.CardURL})
	return c, err
}

// Card is one lead, a tombstone included; false where there is none.
func (d *DB) Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error) {
	card, ok, err := one(ctx, d, scanCard, d.dialect.sql.CardGet, sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID))
	return card, ok, wrapped(err, "card of %s", ref)
}

func scanCard(row scanner) (c leads.Card, err error) {
	var raw string
	err = row.Scan(&c.MemberID, &c.LeadID, textColumn{&c.Title}, textColumn{&c.Name}, textColumn{&c.Company},
		textColumn{&c.ResponsibleID}, textColumn{&c.StatusID}, &c.Open, instantColumn{&c.CreatedAt}, instantColumn{&c.ModifiedAt},
		instantColumn{&c.ReadAt}, textColumn{&c.CardURL}, &c.Revision, instantColumn{&c.DeletedAt}, textColumn{&raw})
	if raw != "" {
		c.Lead = json.RawMessage(raw)
	}
	return c, err
}
