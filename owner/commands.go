package owner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// Bind has the portal's events bound by this process, where no other owns the portal; else
// it returns events.ErrLeaseHeld.
func Bind(ctx context.Context, cfg Config, portal leads.Portal) error {
	return own(ctx, &cfg, portal, func(ctx context.Context, s *Session) error { return s.Bind(ctx) })
}

// RunPasses waits for the portal's lease and, while it has it, runs the passes that are
// requested: what a command does that works without a running service. Where check fails
// nothing is run.
func RunPasses(ctx context.Context, cfg Config, portal leads.Portal, check func(context.Context) error) error {
	loop := retry.Loop{Interval: leaseRetry, Final: func(error) bool { return true }}
	return loop.Run(ctx, func(ctx context.Context) error {
		err := hold(ctx, &cfg, portal, func(ctx context.Context, own Ownership) error {
			if err := check(ctx); err != nil {
				return err
			}
			s, err := open(&cfg, own)
			if err != nil {
				return err
			}
			defer s.close() //nolint:contextcheck // tokens are stored although the context has ended
			o := newOwner(s)
			return o.repeat(ctx, PartPasses, nil, passEvery, s.passes.next)
		})
		if errors.Is(err, events.ErrLeaseHeld) {
			return nil
		}
		return err
	})
}

const (
	// removeLimit is how long an owner may take to leave a portal.
	removeLimit = time.Minute
	// unbindLimit is how long the portal may take to remove our handlers.
	unbindLimit = 10 * time.Second
	// forgetDelay is how long handlers may still know a portal that was removed.
	forgetDelay = 6 * time.Second
)

// Remove erases a portal as its last owner: its events are unbound where that is possible,
// then erase is called, then its notices and its topic's messages go. The portal must be
// marked as uninstalled before, so that its owner leaves it.
func Remove(ctx context.Context, cfg Config, portal leads.Portal, erase func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, removeLimit) // of the wait for the lease alone
	defer cancel()
	loop := retry.Loop{
		Policy: retry.Policy{First: leaseRetry, Max: leaseRetry},
		Final:  func(err error) bool { return !errors.Is(err, events.ErrLeaseHeld) },
		Wait:   func(_ context.Context, d time.Duration) error { return retry.Wait(limited, d) },
	}
	err := loop.Until(ctx, func(ctx context.Context) error {
		return hold(ctx, &cfg, portal, func(ctx context.Context, own Ownership) error {
			unbind(ctx, &cfg, own)
			return forget(ctx, &cfg, portal.MemberID, erase)
		})
	})
	if errors.Is(err, events.ErrLeaseHeld) {
		return fmt.Errorf("portal %s has an owner that does not leave it: %w", portal.Domain, err)
	}
	return err
}

// unbind removes our handlers from a portal. One that cannot be reached can be forgotten
// all the same.
func unbind(ctx context.Context, cfg *Config, own Ownership) {
	s, err := open(cfg, own)
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, unbindLimit)
		err = s.unbind(limited)
		cancel()
		s.close() //nolint:contextcheck // tokens are stored although the context has ended
	}
	if err != nil {
		cfg.Log.WarnContext(ctx, "events are not unbound, refusing the portal's callbacks from now on", "member_id", own.Portal.MemberID, "error", err)
	}
}

// forget erases what is kept, and once more what came while it did.
func forget(ctx context.Context, cfg *Config, memberID string, erase func(context.Context) error) error {
	if err := erase(ctx); err != nil {
		return err
	}
	if err := events.ForgetPortal(ctx, cfg.Bus, memberID); err != nil {
		return err
	}
	if err := retry.Wait(ctx, forgetDelay); err != nil {
		return err
	}
	return events.ForgetPortal(ctx, cfg.Bus, memberID)
}
