package repo

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// errorColumn is the width of sql_error in bitrix_import_lead_error.
var errorColumn = leads.Field{Max: 2000}

// RecordFailure stores in bitrix_import_lead_error that a lead could not be written, with
// the payload that the portal sent, without the tokens in its links. A lead has one row for
// each reason: when it fails in the same way again, the row gets the new time and payload.
func (d *DB) RecordFailure(ctx context.Context, ref leads.Ref, reason string, payload []byte) error {
	args := []any{
		sql.Named("member_id", ref.MemberID), sql.Named("lead_id", strconv.FormatInt(ref.LeadID, 10)),
		sql.Named("error", errorColumn.Column(storable(reason))),
		sql.Named("payload", text(storable(string(leads.WithoutTokens(payload))))), sql.Named("at", wallClock(d.now())),
	}
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, d.dialect.sql.FailureUpdate, args...)
		if err == nil && n == 0 {
			_, err = affect(ctx, tx, d.dialect.sql.FailureInsert, args...)
		}
		return err
	})
	return wrap(err, "record the failure of %s", ref)
}

// storable replaces what neither database can store: invalid UTF-8 and NUL.
func storable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// TouchLeadList stores in bitrix_lead_runtime when all leads were last listed.
func (d *DB) TouchLeadList(ctx context.Context, at time.Time) error {
	return d.touch(ctx, d.dialect.sql.RuntimeTouchList, at)
}

// TouchLeadGet stores in bitrix_lead_runtime when a lead was last read.
func (d *DB) TouchLeadGet(ctx context.Context, at time.Time) error {
	return d.touch(ctx, d.dialect.sql.RuntimeTouchGet, at)
}

// touch updates the table's first row, whatever its Id, and inserts one where the table is
// empty.
func (d *DB) touch(ctx context.Context, statement string, at time.Time) error {
	note := sql.Named("at", wallClock(at))
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, statement, note)
		if err != nil || n > 0 {
			return err
		}
		if err := execAll(ctx, tx, d.dialect.sql.RuntimeInsert); err != nil {
			return err
		}
		_, err = affect(ctx, tx, statement, note)
		return err
	})
	return wrap(err, "store the time of reading")
}
