package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"leadsync/leads"
)

// changeRow are the last values of a row for outboxColumns: what leadsync_changes keeps of a
// decision. They are NULL where the lead is only announced again.
func (r *rows) changeRow(e *entry, change *leads.Change) ([]any, error) {
	if !e.decision.outcome.Wrote() {
		return noHistory, nil
	}
	fields := sql.NullString{}
	if change.Kind == leads.Changed {
		list := leads.FieldChanges(change.Fields)
		if r.values {
			list = leads.WithValues(list, e.before(), &e.snapshot.Lead)
		}
		body, err := encode(list)
		if err != nil {
			return nil, err
		}
		fields = text(body)
	}
	return []any{text(string(change.Kind)), sql.NullString{String: string(change.Cause), Valid: true}, fields}, nil
}

// before is the card that a snapshot replaces; where the columns were compared, with their
// values.
func (e *entry) before() *leads.Lead {
	stored, err := leads.Parse(e.row.raw)
	if err != nil {
		stored = blank
	}
	if full := e.row.full; full != nil {
		stored.Values, stored.Contacts = full.Columns, full.Contacts
	}
	return &stored
}

// Changes returns the newest changes of a lead, at most limit, the newest first.
func (d *DB) Changes(ctx context.Context, ref leads.Ref, limit int) ([]leads.Revised, error) {
	list, err := queryList(ctx, d, scanChange, d.dialect.sql.ChangesList,
		sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID), sql.Named("limit", limit))
	return list, wrap(err, "changes of %s", ref)
}

// LastChange returns when the newest change of any lead was written; the zero time where there is none.
func (d *DB) LastChange(ctx context.Context) (time.Time, error) {
	at, _, err := queryOne(ctx, d, func(row scanner) (t time.Time, err error) {
		err = row.Scan(instantColumn{&t})
		return t, err
	}, d.dialect.sql.ChangesLast)
	return at, wrap(err, "last change")
}

func scanChange(row scanner) (c leads.Revised, err error) {
	var fields string
	if err := row.Scan(&c.Revision, instantColumn{&c.At}, &c.Kind, &c.Cause, textColumn{&fields}); err != nil || fields == "" {
		return c, err
	}
	if err := json.Unmarshal([]byte(fields), &c.Fields); err != nil {
		return c, fmt.Errorf("read the fields of a change: %w", err)
	}
	return c, nil
}

// Around returns the nearest leads below and above an id; the zero value where there is none.
func (d *DB) Around(ctx context.Context, ref leads.Ref) (below, above leads.Neighbour, err error) {
	list, err := queryList(ctx, d, func(row scanner) (n leads.Neighbour, err error) {
		err = row.Scan(&n.LeadID, instantColumn{&n.CreatedAt})
		return n, err
	}, d.dialect.sql.LeadsAround, sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID))
	for _, n := range list {
		if n.LeadID < ref.LeadID {
			below = n
		} else {
			above = n
		}
	}
	return below, above, wrap(err, "leads around %s", ref)
}
