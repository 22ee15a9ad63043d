package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/consumers"
	"leadsync/repo"
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

// opener opens what an owner of a portal works at.
type opener = func(consumers.Ownership) (consumers.Desk, error)

// unmixed has a command write leads only by the settings that the service writes by.
func (b *base) unmixed(ctx context.Context, open opener) opener {
	return func(own consumers.Ownership) (consumers.Desk, error) {
		if err := b.db.CheckRules(ctx); errors.Is(err, repo.ErrOtherRules) {
			return nil, usageError{fmt.Errorf("%w: give this command the settings of the service; the pass stays requested, and the service runs it when it starts", err)}
		} else if err != nil {
			return nil, err
		}
		return open(own)
	}
}
