package main

import (
	"context"
	"time"
)

// refillAgain is the pause after a failure to fill tables anew.
const refillAgain = time.Minute

// refill has phones, custom fields and solutions of older rows kept as this version and
// these settings say. The service works meanwhile: lookups miss what is not there yet.
func (s *service) refill(ctx context.Context) error {
	for ctx.Err() == nil {
		tables, err := s.db.Refill(ctx)
		if err == nil {
			if len(tables) > 0 {
				s.log.InfoContext(ctx, "tables are filled as the settings say", "tables", tables)
			}
			return nil
		}
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "tables cannot be filled as the settings say; lookups and reports may lack rows", "error", err)
		}
		_ = pauseFor(ctx, refillAgain) // the loop looks whether it was cut short
	}
	return nil
}
