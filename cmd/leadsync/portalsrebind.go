package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/retry"
	"leadsync/service"
)

type portalsRebindCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// rebindLimit is how long an owner may take to bind.
const rebindLimit = 30 * time.Second

// Run has the events bound: by the portal's owner where one is at work, else here.
func (r portalsRebindCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		portal, err := findPortal(ctx, b.DB, r.Portal)
		if err != nil {
			return err
		}
		switch {
		case portal.WebhookURL != "":
			return usageError{errors.New("a webhook cannot bind events: create the outgoing webhook in Bitrix24")}
		case portal.State != leads.PortalActive:
			return fmt.Errorf("portal %s is %s", portal.Domain, portal.State)
		}
		if err := rebind(ctx, b, portal); err != nil {
			return err
		}
		report, err := reportPortal(ctx, b.DB, portal)
		if err != nil {
			return err
		}
		if r.JSON {
			return json.NewEncoder(a.stdout).Encode(report)
		}
		return report.print(a.stdout)
	})
}

func rebind(ctx context.Context, b *service.Backend, portal leads.Portal) error {
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
	if err := b.NotifyOwner(ctx, portal, events.Rebind); err != nil {
		return err
	}
	return awaitBinding(ctx, b, portal, before.BoundAt)
}

// lookEvery is how often a command asks whether the owner has done something.
const lookEvery = 250 * time.Millisecond

// awaitBinding returns when the owner has noted what is bound.
func awaitBinding(ctx context.Context, b *service.Backend, portal leads.Portal, before time.Time) error {
	for {
		standing, _, err := b.DB.Standing(ctx, portal.MemberID)
		if err == nil && standing.BoundAt.After(before) {
			return nil
		}
		if retry.Wait(ctx, lookEvery) != nil {
			return fmt.Errorf("the owner of portal %s has not bound its events; its log says why", portal.Domain)
		}
	}
}
