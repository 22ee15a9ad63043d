package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"leadsync/leads"
	"leadsync/leads/parts"
)

// outboxBytes is how many bytes of cards one call of Outbox returns: one card may have hundreds of kilobytes.
const outboxBytes = 16 << 20

// Outbox returns the oldest changes, at most limit, not many more bytes than outboxBytes, and as
// many of each portal, so that the import of one does not hold up changes of another. Changes of
// one lead are in the order of their revisions, because each was written while its row was locked.
func (d *DB) Outbox(ctx context.Context, limit int) ([]leads.Announcement, error) {
	waiting, all, err := d.outbox(ctx, share{limit, d.outboxBytes}, d.dialect.sql.OutboxList)
	if err != nil || all { // of every portal: nearly always
		return waiting, err
	}
	portals, err := queryList(ctx, d, scanText, d.dialect.sql.OutboxPortals)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	if len(portals) < 2 {
		return waiting, nil
	}
	waiting = nil
	each := share{max(1, limit/len(portals)), d.outboxBytes / len(portals)}
	for _, memberID := range portals {
		some, _, err := d.outbox(ctx, each, d.dialect.sql.OutboxListPortal, sql.Named("member_id", memberID))
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, some...)
	}
	return waiting, nil
}

// share is how much is read of the outbox at once: so many changes, and no more once their cards
// have so many bytes.
type share struct{ changes, bytes int }

// outbox reads changes up to the first that is torn. Mostly that is none; where it is the first
// of all, its announcement is complete as soon as the transaction that tore it is committed,
// which it is where its new card can be read. If it never is, because the row was deleted and
// came back, the announcement gets the card of today, which a later one announces, too. all says
// that no others wait behind those that were read, torn ones and those behind them included.
func (d *DB) outbox(ctx context.Context, most share, statement string, args ...any) (waiting []leads.Announcement, all bool, err error) {
	args = append(args, sql.Named("limit", most.changes))
	for try := range tornTries {
		var found []waitingChange
		err := d.attempt(ctx, d.transient, func(ctx context.Context) (err error) {
			found, all, err = d.lookIntoOutbox(ctx, most, statement, args)
			return err
		})
		if err != nil {
			return nil, false, fmt.Errorf("read outbox: %w", err)
		}
		for _, w := range found {
			if w.torn && try < tornTries-1 {
				break
			}
			waiting = append(waiting, w.Announcement)
		}
		if len(waiting) > 0 || len(found) == 0 {
			break
		}
	}
	return waiting, all, nil
}

func (d *DB) lookIntoOutbox(ctx context.Context, most share, statement string, args []any) (found []waitingChange, all bool, err error) {
	found, err = bounded(ctx, d, func(ctx context.Context) ([]waitingChange, error) {
		bytes := 0
		return collectWhile(ctx, d.read, scanWaiting, func(w waitingChange) bool {
			bytes += len(w.Change.Lead)
			return bytes < most.bytes
		}, statement, args...)
	})
	bytes := 0
	for _, w := range found {
		bytes += len(w.Change.Lead)
	}
	return found, len(found) < most.changes && bytes < most.bytes, d.explain(ctx, err)
}

// tornTries is how often a read is repeated that began with a torn announcement.
const tornTries = 3

// waitingChange is a change in the outbox.
type waitingChange struct {
	leads.Announcement
	// torn says that the card is that of a later read: SQL Server, where it does not read from
	// versions of rows, read the announcement before a transaction and the card after it.
	torn bool
}

func scanWaiting(row scanner) (w waitingChange, err error) {
	var body, card string
	var inRow bool
	var readAt time.Time
	if err := row.Scan(&w.ID, &body, &inRow, textColumn{&card}, instantColumn{&readAt}); err != nil {
		return waitingChange{}, err
	}
	if err := json.Unmarshal([]byte(body), &w.Change); err != nil {
		return waitingChange{}, fmt.Errorf("outbox row %d: %w", w.ID, err)
	}
	if inRow {
		w.Change.Lead = json.RawMessage(card)
		w.Lost = !parts.Valid(w.Change.Lead)
		w.torn = !w.Lost && !readAt.Equal(w.Change.ReadAt.Truncate(time.Millisecond))
	} else if len(w.Change.Lead) > 0 { // an earlier version may have written it with tokens
		w.Change.Lead = leads.WithoutTokens(w.Change.Lead)
	}
	return w, nil
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
