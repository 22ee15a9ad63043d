package service

import (
	"context"
	"log/slog"
	"time"

	"leadsync/repo"
	"leadsync/retry"
)

// refillAgain is the pause after a failure to refill tables.
const refillAgain = time.Minute

// refill has phones, custom fields and solutions of older rows kept as this version and
// these settings say. The service works meanwhile: lookups miss what is not there yet.
func refill(ctx context.Context, db *repo.DB, log *slog.Logger) error {
	loop := retry.Loop{
		Policy: retry.Policy{First: refillAgain, Max: refillAgain},
		Failed: func(err error, _ int, pause time.Duration) {
			log.WarnContext(ctx, "tables could not be refilled as the settings say, trying again; lookups and reports may lack rows", "error", err, "pause", pause)
		},
	}
	return unlessStopped(ctx, loop.Until(ctx, func(ctx context.Context) error {
		tables, err := db.Refill(ctx)
		if err == nil && len(tables) > 0 {
			log.InfoContext(ctx, "tables refilled as the settings say", "tables", tables)
		}
		return err
	}))
}
