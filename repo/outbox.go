package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"leadsync/leads"
)

// Outbox returns the oldest changes, at most limit, and as many of each portal, so that the
// import of one does not hold up changes of another. Changes of one lead are in the order of
// their revisions, because each was written while its row was locked.
func (d *DB) Outbox(ctx context.Context, limit int) ([]leads.Announcement, error) {
	portals, err := queryList(ctx, d, scanText, d.dialect.sql.OutboxPortals)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	if len(portals) < 2 {
		return d.outbox(ctx, d.dialect.sql.OutboxList, sql.Named("limit", limit))
	}
	var waiting []leads.Announcement
	share := max(1, limit/len(portals))
	for _, memberID := range portals {
		some, err := d.outbox(ctx, d.dialect.sql.OutboxListPortal, sql.Named("member_id", memberID), sql.Named("limit", share))
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, some...)
	}
	return waiting, nil
}

func (d *DB) outbox(ctx context.Context, statement string, args ...any) ([]leads.Announcement, error) {
	waiting, err := queryList(ctx, d, scanAnnouncement, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return waiting, nil
}

func scanAnnouncement(row scanner) (a leads.Announcement, err error) {
	var body string
	if err := row.Scan(&a.ID, &body); err != nil {
		return leads.Announcement{}, err
	}
	if err := json.Unmarshal([]byte(body), &a.Change); err != nil {
		return leads.Announcement{}, fmt.Errorf("outbox row %d: %w", a.ID, err)
	}
	if len(a.Change.Lead) > 0 { // an earlier version may have written it with tokens
		a.Change.Lead = leads.WithoutTokens(a.Change.Lead)
	}
	return a, nil
}

// DropOutbox deletes changes that have been announced.
func (d *DB) DropOutbox(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	which, err := idList(ids)
	if err != nil {
		return err
	}
	if _, err := d.exec(ctx, d.dialect.sql.OutboxDelete, sql.Named("ids", which)); err != nil {
		return fmt.Errorf("delete from outbox: %w", err)
	}
	return nil
}

// OutboxDepth returns the number of changes in the outbox.
func (d *DB) OutboxDepth(ctx context.Context) (int64, error) {
	n, _, err := queryOne(ctx, d, scanInt, d.dialect.sql.OutboxCount)
	if err != nil {
		return 0, fmt.Errorf("count outbox: %w", err)
	}
	return n, nil
}
