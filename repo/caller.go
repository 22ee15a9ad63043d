package repo

import (
	"context"
	"database/sql"
	"encoding/json"

	"leadsync/leads"
)

// Callers are the leads of a number, told by leads.Phone.Digits, by rank; at most limit.
// No error of it names the number.
func (d *DB) Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error) {
	callers, err := list(ctx, d, scanCaller, d.dialect.sql.CallersList, sql.Named("digits10", digits), sql.Named("limit", limit))
	for i := range callers {
		callers[i].Rank = i + 1
	}
	return callers, wrapped(err, "leads of a number")
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
