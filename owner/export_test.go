package owner

import (
	"context"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// Fields is what tests reach of a portal's custom fields.
type Fields struct {
	Update func(context.Context)                  // as a pass does
	See    func([]leads.Snapshot)                 // as a read does
	Check  func(_ context.Context, now time.Time) // as the upkeep does
}

// OwnFields owns a portal while work runs, and does nothing else for it.
func OwnFields(ctx context.Context, cfg *Config, portal leads.Portal, work func(context.Context, Fields) error) error {
	return own(ctx, cfg, portal, func(ctx context.Context, s *Session) error {
		f := s.fields
		if err := f.load(ctx); err != nil {
			return err
		}
		update := func(ctx context.Context) { f.update(ctx, s.client.In(bitrix24.Background)) }
		return work(ctx, Fields{Update: update, See: f.see, Check: f.check})
	})
}
