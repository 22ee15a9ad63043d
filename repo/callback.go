package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"leadsync/leads"
)

// callbackRow is a callback in the JSON that the statements read.
type callbackRow struct {
	LeadID     int64  `json:"lead_id"`
	Event      string `json:"event"`
	ReceivedAt string `json:"received_at"`
}

// NoteCallbacks stores the last callback of each lead. A callback older than the stored one
// changes nothing. A lead may appear only once.
func (d *DB) NoteCallbacks(ctx context.Context, memberID string, callbacks []leads.LastCallback) error {
	if len(callbacks) == 0 {
		return nil
	}
	list := make([]callbackRow, len(callbacks))
	for i, c := range callbacks {
		list[i] = callbackRow{c.LeadID, storable(c.Event), instant(c.ReceivedAt).String}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("note callbacks of %s: %w", memberID, err)
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("rows", string(body))}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range []string{d.dialect.sql.CallbacksUpdate, d.dialect.sql.CallbacksInsert} {
			if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note callbacks of %s: %w", memberID, err)
	}
	return nil
}

// LastCallbacks returns the last callback of each of these leads; leads without one are
// left out.
func (d *DB) LastCallbacks(ctx context.Context, memberID string, ids []int64) ([]leads.LastCallback, error) {
	which, err := idList(ids)
	if err != nil {
		return nil, err
	}
	callbacks, err := queryList(ctx, d, scanCallback, d.dialect.sql.CallbackList, sql.Named("member_id", memberID), sql.Named("ids", which))
	if err != nil {
		return nil, fmt.Errorf("last callbacks of %s: %w", memberID, err)
	}
	return callbacks, nil
}

func scanCallback(row scanner) (c leads.LastCallback, err error) {
	err = row.Scan(&c.LeadID, &c.Event, instantColumn{&c.ReceivedAt})
	return c, err
}
