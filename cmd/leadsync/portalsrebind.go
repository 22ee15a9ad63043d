package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"leadsync/leads"
	"leadsync/service"
)

type portalsRebindCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run has the events bound: by the portal's owner where one is at work, else here.
func (r portalsRebindCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		portal, err := service.FindPortal(ctx, b.DB, r.Portal)
		if err != nil {
			return err
		}
		switch {
		case portal.WebhookURL != "":
			return usageError{errors.New("a webhook cannot bind events: create the outgoing webhook in Bitrix24")}
		case portal.State != leads.PortalActive:
			return fmt.Errorf("portal %s is %s", portal.Domain, portal.State)
		}
		a.wait.Begin("Binding the events: this may take half a minute")
		if err := b.Rebind(ctx, portal); err != nil {
			return err
		}
		report, err := service.ReportPortal(ctx, b.DB, portal)
		if err != nil {
			return err
		}
		if r.JSON {
			return json.NewEncoder(a.stdout).Encode(report)
		}
		return printPortal(a.stdout, report)
	})
}
