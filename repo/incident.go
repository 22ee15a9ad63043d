package repo

import (
	"context"
	"database/sql"
	"time"

	"leadsync/leads"
)

// AddIncident stores a time during which events could be missed.
func (d *DB) AddIncident(ctx context.Context, i leads.Incident) error {
	_, err := d.exec(ctx, d.dialect.sql.IncidentInsert, sql.Named("member_id", i.MemberID), sql.Named("kind", string(i.Kind)),
		sql.Named("from_at", instant(i.From)), sql.Named("to_at", instant(i.To)), sql.Named("detail", clipped(i.Detail, causeMax)))
	return wrap(err, "record an incident of %s", i.MemberID)
}

// Incidents returns the incidents that concern the portal and ended after since, oldest
// first.
func (d *DB) Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error) {
	incidents, err := queryList(ctx, d, func(row scanner) (i leads.Incident, err error) {
		err = row.Scan(&i.MemberID, &i.Kind, instantColumn{&i.From}, instantColumn{&i.To}, textColumn{&i.Detail})
		return i, err
	}, d.dialect.sql.IncidentList, sql.Named("member_id", memberID), sql.Named("since", instant(since)))
	return incidents, wrap(err, "incidents of %s", memberID)
}

// Beat stores that the portal's owner is alive, and returns the time of the beat before;
// zero at the first one.
func (d *DB) Beat(ctx context.Context, memberID string) (last time.Time, err error) {
	member := sql.Named("member_id", memberID)
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, d.dialect.sql.OwnerBeatGet, member).Scan(instantColumn{&last}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, d.dialect.sql.OwnerBeat, member, sql.Named("beat_at", instant(d.now())))
		return err
	})
	return last, wrap(err, "beat for %s", memberID)
}
