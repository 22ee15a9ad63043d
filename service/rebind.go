package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/retry"
)

// rebindLimit is how long an owner may take to bind.
const rebindLimit = 30 * time.Second

// RebindNamed has the events of the portal of that name bound, and reports how the portal is then.
func (b *Backend) RebindNamed(ctx context.Context, name string, wait *Waiting) (PortalReport, error) {
	portal, err := FindPortal(ctx, b.DB, name)
	if err != nil {
		return PortalReport{}, err
	}
	switch {
	case portal.WebhookURL != "":
		return PortalReport{}, UsageError{errors.New("a webhook cannot bind events: create the outgoing webhook in Bitrix24")}
	case portal.State != leads.PortalActive:
		return PortalReport{}, fmt.Errorf("portal %s is %s", portal.Domain, portal.State)
	}
	wait.Begin("Binding the events: this may take half a minute")
	if err := b.Rebind(ctx, portal); err != nil {
		return PortalReport{}, err
	}
	return ReportPortal(ctx, b.DB, portal)
}

// Rebind has a portal's events bound: by its owner where one is at work, else here.
func (b *Backend) Rebind(ctx context.Context, portal leads.Portal) error {
	before, _, err := b.DB.Standing(ctx, portal.MemberID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, rebindLimit)
	defer cancel()
	err = owner.Bind(ctx, b.OwnerConfig(&consumers.Stats{}, func() {}), portal)
	if !errors.Is(err, events.ErrLeaseHeld) {
		return err
	}
	if err := b.NATS.NotifyOwner(ctx, portal, events.Rebind); err != nil {
		return err
	}
	return b.awaitBinding(ctx, portal, before.BoundAt)
}

// awaitBinding returns when the owner has noted what is bound.
func (b *Backend) awaitBinding(ctx context.Context, portal leads.Portal, before time.Time) error {
	for {
		standing, _, err := b.DB.Standing(ctx, portal.MemberID)
		if err == nil && standing.BoundAt.After(before) {
			return nil
		}
		if retry.Wait(ctx, time.Second/4) != nil {
			return fmt.Errorf("the owner of portal %s has not bound its events; its log says why", portal.Domain)
		}
	}
}
