package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"leadsync/leads"
)

// PhoneRegion is the country of numbers without a country code, as the mirror reads them.
func (d *DB) PhoneRegion() string { return d.rules.Region }

// Callers returns the leads with a phone number, given as leads.Phone.Digits for PhoneRegion,
// sorted by rank; at most limit. Its errors never contain the number.
func (d *DB) Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error) {
	found, err := bounded(ctx, d, func(ctx context.Context) ([]leads.Caller, error) {
		statement, err := d.callers.on(ctx, d.read, d.dialect.sql.CallersList)
		if err != nil {
			return nil, err
		}
		return query(ctx, statement, scanCaller, "", sql.Named("digits10", digits), sql.Named("limit", limit))
	})
	if err != nil {
		return nil, fmt.Errorf("leads of a number: %w", d.explain(ctx, err))
	}
	for i := range found {
		found[i].Rank = i + 1
	}
	return found, nil
}

// prepared is a statement that is parsed only once: a person at a telephone waits for the
// answer, and parsing takes most of the time.
type prepared struct{ statement atomic.Pointer[sql.Stmt] }

// on prepares the statement at its first use: the tables may not exist when the program
// starts. Concurrent calls do not wait for each other, because a database that does not
// answer would block them one after the other.
func (p *prepared) on(ctx context.Context, pool *sql.DB, text string) (ready, error) {
	if statement := p.statement.Load(); statement != nil {
		return ready{statement}, nil
	}
	statement, err := pool.PrepareContext(ctx, text)
	if err != nil {
		return ready{}, err
	}
	if !p.statement.CompareAndSwap(nil, statement) {
		_ = statement.Close() //nolint:sqlclosecheck // only where a concurrent call was faster
	}
	return ready{p.statement.Load()}, nil
}

// ready is a prepared statement that implements querier; it ignores the text.
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

// Card returns one lead, even where it was deleted; false where there is no row.
func (d *DB) Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error) {
	card, ok, err := queryOne(ctx, d, scanCard, d.dialect.sql.CardGet, sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID))
	return card, ok, wrap(err, "card of %s", ref)
}

func scanCard(row scanner) (c leads.Card, err error) {
	var raw string
	err = row.Scan(&c.MemberID, &c.LeadID, textColumn{&c.Title}, textColumn{&c.Name}, textColumn{&c.Company},
		textColumn{&c.ResponsibleID}, textColumn{&c.StatusID}, &c.Open, instantColumn{&c.CreatedAt}, instantColumn{&c.ModifiedAt},
		instantColumn{&c.ReadAt}, textColumn{&c.CardURL}, &c.Revision, instantColumn{&c.DeletedAt}, textColumn{&raw})
	if raw != "" {
		c.Lead = leads.WithoutTokens(json.RawMessage(raw))
	}
	return c, err
}
