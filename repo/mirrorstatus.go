package repo

import (
	"context"
	"database/sql"
	"time"

	"leadsync/leads"
)

// SaveMirrorStatus stores how far the mirror can be trusted; missed is Missed.At. It stores
// nothing where the epoch is not the portal's current one.
func (d *DB) SaveMirrorStatus(ctx context.Context, epoch int64, s leads.MirrorStatus, missed time.Time) error {
	_, err := d.exec(ctx, d.dialect.sql.OwnerMirror, sql.Named("member_id", s.MemberID), sql.Named("epoch", epoch),
		sql.Named("state", string(s.State)), sql.Named("since", instant(s.Since)), sql.Named("behind_since", instant(s.BehindSince)),
		sql.Named("reason", text(clipped(s.Reason, causeMax))), sql.Named("missed_at", instant(missed)))
	return wrap(err, "save the status of the mirror of %s", s.MemberID)
}

// Missed returns what an owner has stored of a portal's mirror.
func (d *DB) Missed(ctx context.Context, memberID string) (leads.Missed, error) {
	missed, _, err := queryOne(ctx, d, func(row scanner) (m leads.Missed, err error) {
		var state string
		err = row.Scan(textColumn{&state}, instantColumn{&m.Since}, instantColumn{&m.At})
		m.State = leads.MirrorState(state)
		return m, err
	}, d.dialect.sql.OwnerMirrorGet, sql.Named("member_id", memberID))
	return missed, wrap(err, "status of the mirror of %s", memberID)
}

// Proofs returns when the newest completed pass of each kind began.
func (d *DB) Proofs(ctx context.Context, memberID string) (leads.Proofs, error) {
	type proof struct {
		mode leads.RunMode
		at   time.Time
	}
	list, err := queryList(ctx, d, func(row scanner) (p proof, err error) {
		err = row.Scan(&p.mode, instantColumn{&p.at})
		return p, err
	}, d.dialect.sql.RunProofs, sql.Named("member_id", memberID))
	proofs := leads.Proofs{}
	for _, p := range list {
		proofs[p.mode] = p.at
	}
	return proofs, wrap(err, "passes of %s", memberID)
}

// MirrorStatuses returns the status of every portal's mirror, those included that no process
// serves.
func (d *DB) MirrorStatuses(ctx context.Context) ([]leads.MirrorStatus, error) {
	list, err := queryList(ctx, d, func(row scanner) (s leads.MirrorStatus, err error) {
		err = row.Scan(&s.MemberID, textColumn{&s.Domain}, &s.State, instantColumn{&s.Since}, instantColumn{&s.BehindSince}, textColumn{&s.Reason}, instantColumn{&s.At}, &s.Failing)
		return s, err
	}, d.dialect.sql.MirrorStatuses)
	return list, wrap(err, "status of the mirrors")
}
