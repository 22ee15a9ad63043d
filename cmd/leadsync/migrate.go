package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leadsync/repo"
	"leadsync/service"
)

type migrateCmd struct {
	Plan bool `help:"Only print the statements of the pending migrations."`
	Down bool `help:"Remove leadsync's tables and columns; the call centre's tables stay, except rows of leads deleted in the portal."`
	Yes  bool `help:"Confirm --down."`
}

// Run creates, adopts or updates the tables.
func (m migrateCmd) Run(ctx context.Context, a *app) (err error) {
	if m.Plan && m.Down {
		return usageError{errors.New("use --plan or --down, not both")}
	}
	if m.Down && !m.Yes {
		return usageError{errors.New("all that only leadsync keeps would be lost: tokens, revisions, runs, findings, custom fields, and the cards of leads that were deleted in the portal; add --yes to do it")}
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := service.MakeDataDir(cfg); err != nil {
		return err
	}
	db, err := service.OpenDatabase(ctx, cfg, service.NewLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if m.Plan {
		return a.printPlan(ctx, db)
	}
	verb, nothing, work := "applied", "the tables are up to date", db.Migrate
	if m.Down {
		verb, nothing, work = "undone", "nothing to remove", db.MigrateDown
	}
	names, err := work(ctx)
	for _, name := range names {
		fmt.Fprintln(a.stdout, verb, name)
	}
	if err == nil && len(names) == 0 {
		fmt.Fprintln(a.stdout, nothing)
	}
	if err != nil || m.Down {
		return err
	}
	place, err := service.SetUpStreams(ctx, cfg)
	if err == nil && place != "" {
		fmt.Fprintln(a.stdout, "the streams are up to date on", place)
	}
	return err
}

// printPlan prints what a database administrator wants to read before it is run.
func (a *app) printPlan(ctx context.Context, db *repo.DB) error {
	names, err := db.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		statements, err := db.MigrationStatements(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "-- pending: %s, %d statements in one transaction; leadsync migrate runs them\n\n%s\n\n",
			name, len(statements), strings.Join(statements, "\n\n"))
	}
	if len(names) == 0 {
		fmt.Fprintln(a.stdout, "-- the tables are up to date")
	}
	return nil
}
