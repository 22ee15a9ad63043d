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
	Now    func() time.Time
	Log    *slog.Logger

	published map[string]leads.MirrorStatus // by this process
	at        map[string]time.Time          // when that was
}

// Run publishes until the context ends, while no other process does.
func (s *Statuses) Run(ctx context.Context) error {
	loop := retry.Loop{
		Policy: retry.Near, Interval: statusEvery,
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
		s.hold()
		err = lease.Hold(ctx, s.publishAll)
		if errors.Is(err, events.ErrLeaseHeld) {
			return nil
		}
		return err
	})
}

// hold begins anew: what another process published meanwhile is unknown.
func (s *Statuses) hold() {
	s.published, s.at = map[string]leads.MirrorStatus{}, map[string]time.Time{}
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

// repeatEvery is how often a status is published that has not changed: subscribers see by its
// time that leadsync is alive.
const repeatEvery = time.Minute

// publish publishes a status that differs from the last one, or whose last message is old.
func (s *Statuses) publish(ctx context.Context, status leads.MirrorStatus) error {
	last, ok := s.published[status.MemberID]
	same := ok && last.State == status.State && last.Reason == status.Reason && last.Failing == status.Failing && last.Since.Equal(status.Since) && last.BehindSince.Equal(status.BehindSince)
	if age := s.Now().Sub(s.at[status.MemberID]); same && age >= 0 && age < repeatEvery {
		return nil
	}
	if err := events.PublishStatus(ctx, s.Bus, status); err != nil {
		return err
	}
	s.published[status.MemberID], s.at[status.MemberID] = status, s.Now()
	return nil
}
