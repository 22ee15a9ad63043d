package main

import (
	"context"

	"leadsync/service"
)

type portalsRebindCmd struct {
	Portal string `arg:"" complete:"portal" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run has the events bound: by the portal's owner where one is at work, else here.
func (r portalsRebindCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		report, err := b.RebindNamed(ctx, r.Portal, a.wait)
		if err != nil {
			return err
		}
		return a.print(report, r.JSON)
	})
}
