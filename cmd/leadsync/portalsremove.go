package main

import (
	"context"

	"leadsync/service"
)

type portalsRemoveCmd struct {
	Portal string `arg:"" complete:"portal" help:"The portal, by its member_id or its domain."`
	Yes    bool   `help:"Really: rows, tokens, runs, notices, dead letters and the topic's messages are erased."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run erases the portal.
func (r portalsRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		removed, err := b.RemovePortal(ctx, r.Portal, r.Yes, a.wait)
		if err != nil {
			return err
		}
		return a.print(removed, r.JSON)
	})
}
