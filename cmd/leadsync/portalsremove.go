package main

import (
	"context"
	"encoding/json"
	"fmt"

	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/service"
)

type portalsRemoveCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	Yes    bool   `help:"Really: rows, tokens, runs, notices, dead letters and the topic's messages are erased."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run stops the portal's owner, unbinds its events where that is possible, and erases.
func (r portalsRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		portal, err := service.FindPortal(ctx, b.DB, r.Portal)
		if err != nil {
			return err
		}
		count, err := b.DB.CountLeads(ctx, portal.MemberID)
		if err != nil {
			return err
		}
		if !r.Yes {
			return usageError{fmt.Errorf("portal %s (%s) and its %s would be erased here for good, in the database and on the topic; add --yes to do it",
				portal.MemberID, portal.Domain, leads.Amount(count, "lead"))}
		}
		a.wait.Begin("Removing the portal: first its owner must let go of it, which may take a minute")
		if err := removePortal(ctx, b, portal); err != nil {
			return err
		}
		if portal.WebhookURL != "" && portal.WebhookURL == b.Config.WebhookURL {
			b.Log.WarnContext(ctx, "the removed portal is the one of LEADSYNC_B24_WEBHOOK_URL: it comes back unless you remove that setting")
		}
		if r.JSON {
			return json.NewEncoder(a.stdout).Encode(map[string]any{"removed": portal.MemberID, "leads": count})
		}
		_, err = fmt.Fprintf(a.stdout, "portal %s (%s) is erased, with %s\n", portal.MemberID, portal.Domain, leads.Amount(count, "lead"))
		return err
	})
}

func removePortal(ctx context.Context, b *service.Backend, portal leads.Portal) error {
	if err := b.DB.SetPortalState(ctx, portal.MemberID, leads.PortalUninstalled); err != nil {
		return err
	}
	cfg := b.OwnerConfig(&consumers.Stats{}, func() {})
	return owner.Remove(ctx, cfg, portal, func(ctx context.Context) error { return b.DB.ErasePortal(ctx, portal.MemberID) })
}
