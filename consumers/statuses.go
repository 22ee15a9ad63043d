package consumers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// statusEvery is how often the status of the mirrors is looked at.
const statusEvery = 5 * time.Second

// Statuses tells subscribers how far each portal's mirror can be trusted. It reads what the
// portals' owners store, so it also sees a portal that no process owns.
type Statuses struct {
	Bus   *events.Bus
	Store interface {
		MirrorStatuses(ctx context.Context) ([]leads.MirrorStatus, error)
	}
	Holder string // names this process in the lease
	Log    *slog.Logger

	published map[string]leads.MirrorStatus // by this process, and what it found
}

// Run publishes until the context ends, while no other process does.
func (s *Statuses) Run(ctx context.Context) error {
	loop := retry.Loop{
		Policy: retry.Standard, Interval: statusEvery,
		Failed: func(err error, _ int, pause time.Duration) {
			s.Log.WarnContext(ctx, "status of the mirrors is not published, trying again", "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error {
		lease, err := events.TakeLease(ctx, s.Bus, "status", s.Holder)
		if errors.Is(err, events.ErrLeaseHeld) {
			return nil
		}
		if err != nil {
			return err
		}
		s.published = map[string]leads.MirrorStatus{}
		err = lease.Hold(ctx, s.publishAll)
		if errors.Is(err, events.ErrLeaseHeld) {
			return nil
		}
		return err
	})
}

func (s *Statuses) publishAll(ctx context.Context) error {
	for {
		statuses, err := s.Store.MirrorStatuses(ctx)
		if err != nil {
			return err
		}
		for _, status := range statuses {
			if err := s.publish(ctx, status); err != nil {
				return err
			}
		}
		if err := retry.Wait(ctx, statusEvery); err != nil {
			return nil //nolint:nilerr // a stop
		}
	}
}

// publish publishes a status that differs from the last one.
func (s *Statuses) publish(ctx context.Context, status leads.MirrorStatus) error {
	last, ok := s.published[status.MemberID]
	if !ok {
		var err error
		if last, _, err = events.LastStatus(ctx, s.Bus, status.MemberID); err != nil {
			return err
		}
	}
	if last.State == status.State && last.Reason == status.Reason && last.Since.Equal(status.Since) && last.BehindSince.Equal(status.BehindSince) {
		s.published[status.MemberID] = last
		return nil
	}
	if err := events.PublishStatus(ctx, s.Bus, status); err != nil {
		return err
	}
	s.published[status.MemberID] = status
	return nil
}
