package owner

import (
	"context"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// evidence is what explains a pass's findings.
type evidence struct {
	cfg      *Config
	memberID string
}

// Incidents implements reconcile.Evidence.
func (e evidence) Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error) {
	return e.cfg.Mirror.Evidence.Incidents(ctx, memberID, since)
}

// PendingNotices implements reconcile.Evidence.
func (e evidence) PendingNotices(ctx context.Context, ids []int64) (map[int64]bool, error) {
	return events.Waiting(ctx, e.cfg.Bus, e.memberID, ids)
}

// LastCallbacks implements reconcile.Evidence.
func (e evidence) LastCallbacks(ctx context.Context, memberID string, ids []int64) (map[int64]time.Time, error) {
	return lastCallbacks(ctx, e.cfg, memberID, ids)
}

// lastCallbacks is when the last callback of each lead came.
func lastCallbacks(ctx context.Context, cfg *Config, memberID string, ids []int64) (map[int64]time.Time, error) {
	callbacks, err := cfg.Mirror.Evidence.LastCallbacks(ctx, memberID, ids)
	received := make(map[int64]time.Time, len(callbacks))
	for _, c := range callbacks {
		received[c.LeadID] = c.ReceivedAt
	}
	return received, err
}
