package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"leadsync/leads"
)

// CountFailure counts one more failure of a lead and returns its record. next returns when
// to try the lead again, given the attempts so far; a zero time gives it up.
func (d *DB) CountFailure(ctx context.Context, ref leads.Ref, event, reason string, next func(attempts int) time.Time) (f leads.Failing, err error) {
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		f, err = d.countFailure(ctx, tx, ref, event, reason, next)
		return err
	})
	if err != nil {
		return leads.Failing{}, fmt.Errorf("count a failure of %s: %w", ref, err)
	}
	return f, nil
}

func (d *DB) countFailure(ctx context.Context, tx *sql.Tx, ref leads.Ref, event, reason string, next func(int) time.Time) (leads.Failing, error) {
	s, now := d.dialect.sql, d.now().UTC().Truncate(time.Millisecond)
	member, lead := sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID)
	f, err := d.scanFailing(ref.MemberID)(tx.QueryRowContext(ctx, s.FailingGet, member, lead))
	statement := s.FailingUpdate
	switch {
	case errors.Is(err, sql.ErrNoRows):
		f, statement = leads.Failing{Ref: ref, FirstAt: now}, s.FailingInsert
	case err != nil:
		return f, err
	}
	f.Attempts++
	f.Event, f.Reason, f.LastAt = storable(event), errorColumn.Column(storable(reason)), now
	f.NextAttemptAt = next(f.Attempts)
	_, err = tx.ExecContext(ctx, statement, member, lead,
		sql.Named("event", f.Event), sql.Named("reason", f.Reason), sql.Named("attempts", f.Attempts),
		sql.Named("last_at", instant(f.LastAt)), sql.Named("next_attempt_at", instant(f.NextAttemptAt)))
	return f, err
}

// Failing returns a portal's leads that could not be written, including those given up.
func (d *DB) Failing(ctx context.Context, memberID string) ([]leads.Failing, error) {
	failing, err := queryList(ctx, d, d.scanFailing(memberID), d.dialect.sql.FailingList, sql.Named("member_id", memberID))
	if err != nil {
		return nil, fmt.Errorf("failing leads of %s: %w", memberID, err)
	}
	return failing, nil
}

// FailingOf returns the failure record of a lead, and whether there is one.
func (d *DB) FailingOf(ctx context.Context, ref leads.Ref) (leads.Failing, bool, error) {
	f, ok, err := queryOne(ctx, d, d.scanFailing(ref.MemberID), d.dialect.sql.FailingOf,
		sql.Named("member_id", ref.MemberID), sql.Named("lead_id", ref.LeadID))
	return f, ok, wrap(err, "failures of %s", ref)
}

// ForgetFailures deletes the failure records of these leads.
func (d *DB) ForgetFailures(ctx context.Context, memberID string, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	which, err := idList(ids)
	if err != nil {
		return err
	}
	if _, err := d.exec(ctx, d.dialect.sql.FailingDelete, sql.Named("member_id", memberID), sql.Named("ids", which)); err != nil {
		return fmt.Errorf("forget failures of %s: %w", memberID, err)
	}
	return nil
}

func (d *DB) scanFailing(memberID string) func(scanner) (leads.Failing, error) {
	return func(row scanner) (f leads.Failing, err error) {
		f.MemberID = memberID
		err = row.Scan(&f.LeadID, &f.Event, &f.Reason, &f.Attempts,
			instantColumn{&f.FirstAt}, instantColumn{&f.LastAt}, instantColumn{&f.NextAttemptAt})
		return f, err
	}
}

// FailedPayload returns the card that the portal sent when the failure of a lead was last
// recorded; false where no failure is recorded.
func (d *DB) FailedPayload(ctx context.Context, ref leads.Ref) (payload string, ok bool, err error) {
	payload, ok, err = queryOne(ctx, d, scanText, d.dialect.sql.FailurePayload,
		sql.Named("member_id", ref.MemberID), sql.Named("lead_id", strconv.FormatInt(ref.LeadID, 10)))
	if err != nil {
		return "", false, fmt.Errorf("payload of %s: %w", ref, err)
	}
	return payload, ok, nil
}

func scanText(row scanner) (s string, err error) {
	err = row.Scan(textColumn{&s})
	return s, err
}

// OutboxOldest returns when the oldest change in the outbox was written; zero where the
// outbox is empty.
func (d *DB) OutboxOldest(ctx context.Context) (time.Time, error) {
	return d.outboxOldest(ctx, d.dialect.sql.OutboxOldest)
}

// OutboxOldestOf is OutboxOldest for the changes of one portal.
func (d *DB) OutboxOldestOf(ctx context.Context, memberID string) (time.Time, error) {
	return d.outboxOldest(ctx, d.dialect.sql.OutboxOldestPortal, sql.Named("member_id", memberID))
}

func (d *DB) outboxOldest(ctx context.Context, statement string, args ...any) (time.Time, error) {
	at, _, err := queryOne(ctx, d, func(row scanner) (t time.Time, err error) {
		err = row.Scan(instantColumn{&t})
		return t, err
	}, statement, args...)
	if err != nil {
		return time.Time{}, fmt.Errorf("age of outbox: %w", err)
	}
	return at, nil
}
