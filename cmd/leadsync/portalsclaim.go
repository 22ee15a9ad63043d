package main

import (
	"context"

	"leadsync/repo"
	"leadsync/service"
)

type portalsClaimCmd struct {
	Portal string `arg:"" complete:"portal" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object at the end, and no progress."`
}

// Run claims.
func (c portalsClaimCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		claim, err := service.ClaimFor(ctx, db, c.Portal, a.wait)
		if err != nil {
			return err
		}
		return a.print(claim, c.JSON)
	})
}
