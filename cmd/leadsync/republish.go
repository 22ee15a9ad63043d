package main

import (
	"context"

	"leadsync/service"
)

// republishCmd makes the topic of leads say what the tables say.
type republishCmd struct {
	Portal string `complete:"portal" help:"Only this portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run compares every row with the topic, beside a running service or without one, and
// returns when all that differs is announced.
func (r republishCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		report, err := b.Republish(ctx, r.Portal, a.wait)
		if err != nil {
			return err
		}
		return a.print(report, r.JSON)
	})
}
