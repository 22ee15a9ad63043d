package main

import (
	"context"

	"leadsync/repo"
	"leadsync/service"
)

// portalsCmd deals with the portals that are served.
type portalsCmd struct {
	List   portalsListCmd   `cmd:"" default:"withargs" help:"List the portals." example:"leadsync portals" more:"docs/trouble.md#portals"`
	Show   portalsShowCmd   `cmd:"" help:"Show a portal: its state, tokens, bound events and budget." example:"leadsync portals show company.bitrix24.ru" more:"docs/trouble.md#portals"`
	Add    portalsAddCmd    `cmd:"" help:"Add a portal that is reached by webhooks; or let one in whose application is yet to be installed, or give one an application of its own." example:"leadsync portals add --member-id a223c6b3710f85df22e9377d6c4f7553 --domain company.bitrix24.ru" more:"docs/install.md"`
	Rebind portalsRebindCmd `cmd:"" help:"Bind the portal's events to this service again." example:"leadsync portals rebind company.bitrix24.ru" more:"docs/trouble.md#events-are-not-bound"`
	Claim  portalsClaimCmd  `cmd:"" help:"Give the leads of an adopted database that belong to no portal to one." example:"leadsync portals claim company.bitrix24.ru" more:"docs/trouble.md#adopted-leads-belong-to-no-portal"`
	Remove portalsRemoveCmd `cmd:"" help:"Forget a portal and erase everything leadsync keeps of it." example:"leadsync portals remove company.bitrix24.ru --yes" more:"docs/operations.md"`
}

type portalsListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run lists.
func (l portalsListCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		list, err := service.ListPortals(ctx, db)
		if err != nil {
			return err
		}
		return a.print(list, l.JSON)
	})
}

type portalsShowCmd struct {
	Portal string `arg:"" complete:"portal" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run shows one portal, from the database alone: the portal is not asked.
func (s portalsShowCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		portal, err := service.FindPortal(ctx, db, s.Portal)
		if err != nil {
			return err
		}
		report, err := service.ReportPortal(ctx, db, portal)
		if err != nil {
			return err
		}
		return a.print(report, s.JSON)
	})
}
