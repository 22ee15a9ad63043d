package main

import (
	"context"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

type reconcileCmd struct {
	Pass     passCmd     `cmd:"" default:"withargs" help:"Compare portal and mirror, and repair what differs." example:"leadsync reconcile --dry-run" more:"docs/reconciliation.md"`
	History  historyCmd  `cmd:"" help:"List past passes." example:"leadsync reconcile history --limit 5" more:"docs/reconciliation.md"`
	Findings findingsCmd `cmd:"" help:"List what a pass found, and why." example:"leadsync reconcile findings last" more:"docs/reconciliation.md"`
}

type passCmd struct {
	Portal     string `complete:"portal" help:"Only this portal, by its member_id or its domain; otherwise all that are active."`
	Changed    bool   `help:"Only leads that were changed since the pass before."`
	DryRun     bool   `help:"Record what differs and repair nothing."`
	MaxDeletes int64  `help:"Allow up to N deletions in this pass (otherwise leadsync stops above 100 and 2 %)." placeholder:"N"`
	Resume     bool   `help:"Continue the paused pass." xor:"begin"`
	Restart    bool   `help:"Give up a pass that is under way or paused, and begin a new one." xor:"begin"`
	JSON       bool   `name:"json" help:"Print one JSON object at the end."`
}

// Run brings a pass of each portal to its end.
func (r passCmd) Run(ctx context.Context, a *app) error {
	request := service.PassRequest{Mode: leads.RunFull, DryRun: r.DryRun, MaxDeletes: r.MaxDeletes, Resume: r.Resume, Restart: r.Restart}
	if r.Changed {
		request.Mode = leads.RunChanged
	}
	return a.join(ctx, func(b *service.Backend) error {
		reports, err := b.Reconcile(ctx, r.Portal, request, a.wait)
		if err != nil {
			return err
		}
		if err := a.print(reports, r.JSON); err != nil {
			return err
		}
		return reports.Err()
	})
}

type historyCmd struct {
	Portal string `complete:"portal" help:"Only this portal, by its member_id or its domain."`
	Limit  int    `default:"20" help:"The most passes of a portal."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type findingsCmd struct {
	ID    string `arg:"" name:"run" help:"The pass, by its id as history shows it; 'last' is the newest that found something."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
	Limit int    `default:"1000" help:"The most findings that are printed; all are in leadsync_findings."`
}

// Run lists passes, newest first.
func (h historyCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		history, err := service.PassHistory(ctx, db, h.Portal, h.Limit)
		if err != nil {
			return err
		}
		return a.print(history, h.JSON)
	})
}

// Run lists what a pass found.
func (f findingsCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		found, err := service.PassFindings(ctx, db, f.ID, f.Limit)
		if err != nil {
			return err
		}
		return a.print(found, f.JSON)
	})
}
