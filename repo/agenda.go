package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"leadsync/leads"
)

// Agenda returns what there is to do for each active portal, by member_id, in one statement. It
// may be wrong for a moment either way: on SQL Server it sees what is not committed yet.
func (d *DB) Agenda(ctx context.Context) (map[string]leads.Due, error) {
	now := d.now()
	type portalDue struct {
		memberID string
		due      leads.Due
	}
	list, err := queryList(ctx, d, func(row scanner) (p portalDue, err error) {
		err = row.Scan(&p.memberID, &p.due.Pass, &p.due.Absent, instantColumn{&p.due.Unannounced}, &p.due.Incident)
		return p, err
	}, d.dialect.sql.Agenda, sql.Named("until", instant(now.Add(-d.grace))), sql.Named("now", instant(now)))
	due := make(map[string]leads.Due, len(list))
	for _, p := range list {
		due[p.memberID] = p.due
	}
	return due, wrap(err, "look what there is to do for portals")
}

// BeatAll is Beat for many portals that were noted as served before. It returns those for which
// it was noted: it does not wait for one whose row another transaction holds.
func (d *DB) BeatAll(ctx context.Context, memberIDs []string) (noted []string, err error) {
	sorted := slices.Sorted(slices.Values(memberIDs)) // all processes lock rows in the same order
	list, err := json.Marshal(sorted)
	if err != nil {
		return nil, err
	}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		noted, err = query(ctx, tx, scanText, d.dialect.sql.OwnerBeatAll, sql.Named("member_ids", string(list)), sql.Named("beat_at", instant(d.now())))
		return err
	})
	return noted, wrap(err, "beat for %d portals", len(memberIDs))
}
