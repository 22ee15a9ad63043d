package service

import (
	"context"
	"fmt"
	"time"

	"leadsync/repo"
)

// servedFor is how long after a portal was noted as served a service may still work on it.
const servedFor = time.Minute

// CheckUnserved returns an error where a service works with the database: what takes its tables away
// must not run beside it. A database without leadsync's tables is served by none.
func CheckUnserved(ctx context.Context, db *repo.DB, now time.Time) error {
	if err := db.CheckMigrated(ctx); err != nil {
		return nil //nolint:nilerr // no service of this version works with it
	}
	statuses, err := db.MirrorStatuses(ctx)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if ago := now.Sub(s.At); ago < servedFor && !s.At.IsZero() {
			return fmt.Errorf("a leadsync service uses this database, it served %s %s ago: stop every service first; a minute later this command works",
				s.Domain, ago.Round(time.Second))
		}
	}
	return nil
}
