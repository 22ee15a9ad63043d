package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

type migrateCmd struct {
	Plan bool `help:"Only check the database and print the statements of the pending migrations."`
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
	remove, err := m.place(&cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	a.wait.Begin("Connecting to the database")
	db, err := service.OpenDatabase(ctx, cfg, service.NewLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	switch {
	case m.Plan:
		return a.printPlan(ctx, db)
	case m.Down:
		return a.migrateDown(ctx, db)
	}
	if err := a.migrateUp(ctx, db); err != nil {
		return err
	}
	a.wait.Begin("Making the streams")
	place, err := service.SetUpStreams(ctx, cfg)
	if err == nil && place != "" {
		fmt.Fprintln(a.stdout, "the streams are up to date on", place)
	}
	return err
}

// place makes the data directory where the command may change something. For a plan without a database an empty one
// serves as well, which remove removes.
func (m migrateCmd) place(cfg *service.Config) (remove func() error, err error) {
	remove = func() error { return nil }
	switch _, missing := cfg.MissingDatabase(); {
	case m.Plan && missing:
		dir, err := os.MkdirTemp("", "leadsync-plan-")
		if err != nil {
			return nil, fmt.Errorf("make an empty database: %w", err)
		}
		cfg.DatabaseURL = "sqlite:" + filepath.Join(dir, "leadsync.db")
		return func() error { return os.RemoveAll(dir) }, nil
	case m.Down:
		return remove, cfg.CheckDatabase()
	case !m.Plan:
		return remove, service.MakeDataDir(*cfg)
	}
	return remove, nil
}

func (a *app) migrateDown(ctx context.Context, db *repo.DB) error {
	a.wait.Begin("Looking whether a service uses the database")
	if err := service.CheckUnserved(ctx, db, time.Now()); err != nil {
		return err
	}
	a.wait.Begin("Removing tables and columns")
	names, err := db.MigrateDown(ctx)
	for _, name := range names {
		fmt.Fprintln(a.stdout, "undone", name)
	}
	if err == nil && len(names) == 0 {
		fmt.Fprintln(a.stdout, "nothing to remove")
	}
	return err
}

// migrateUp checks the database, migrates, and says what there is now.
func (a *app) migrateUp(ctx context.Context, db *repo.DB) error {
	a.wait.Begin("Examining the database")
	pending, err := db.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(pending) == 0 {
		fmt.Fprintln(a.stdout, "the tables are up to date")
		return a.sayUnclaimed(ctx, db)
	}
	if err := a.preflight(ctx, db, ""); err != nil {
		return err
	}
	began := time.Now()
	a.wait.Begin("Changing the tables")
	done, err := db.Adopt(ctx, service.NewSteps(a.wait).Show)
	for _, name := range done.Applied {
		fmt.Fprintln(a.stdout, "applied", name)
	}
	if err != nil {
		return fmt.Errorf("%w\nWhat is done stays done: run `leadsync migrate` again, and it continues", err)
	}
	if done.TookOver {
		printAdopted(a.stdout, done, time.Since(began))
	}
	return nil
}

// printAdopted says what a person wants to know at the end.
func printAdopted(out io.Writer, done repo.Adopted, took time.Duration) {
	fmt.Fprintf(out, `
The call centre's tables are taken over, in %s:
  kept: %s, %s, %s and %s
  in leadsync_duplicate_leads: %s of the same leads
  %s to no portal yet

What comes next:
  1. Run deployments/sqlserver/grants.sql, so that the service and the reports have their rights (on SQL Server).
  2. Start leadsync serve; one that runs already goes on by itself.
  3. Install the application in the portal. If the database names that portal, or no other one is connected, it gets the leads by itself;
     otherwise say whose they are: leadsync portals claim <member_id or domain>.
  4. The first pass then rewrites every lead as the portal shows it; leadsync reconcile history shows it.
`, took.Round(time.Second/10), leads.Amount(done.Leads, "lead"), leads.Amount(done.Contacts, "contact"), leads.Amount(done.Solutions, "solution"),
		leads.Amount(done.Failures, "import error"), leads.Amount(done.Duplicates, "older row"), service.LeadsBelong(done.Unclaimed, ""))
}

// sayUnclaimed prints how many leads belong to no portal, where there are any.
func (a *app) sayUnclaimed(ctx context.Context, db *repo.DB) error {
	unclaimed, err := db.Unclaimed(ctx)
	if err == nil && unclaimed > 0 {
		fmt.Fprintln(a.stdout, service.UnclaimedWords(unclaimed))
	}
	return err
}

// printPlan prints what a database administrator wants to read before it is run.
func (a *app) printPlan(ctx context.Context, db *repo.DB) error {
	a.wait.Begin("Examining the database")
	names, err := db.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		fmt.Fprintln(a.stdout, "-- the tables are up to date")
		return nil
	}
	foreign, err := db.NeedsAdoption(ctx)
	if err != nil {
		return err
	}
	stopped := a.preflight(ctx, db, "-- ")
	for _, name := range names {
		if foreign && name == repo.MirrorMigration {
			fmt.Fprintf(a.stdout, "-- then, in transactions of 2,000 rows: older rows of the same leads are moved, and the new columns are filled\n\n%s\n",
				strings.Join(db.AdoptionStatements(), "\n"))
		}
		statements, err := db.MigrationStatements(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "-- pending: %s, %d statements in one transaction; leadsync migrate runs them\n\n%s\n\n",
			name, len(statements), strings.Join(statements, "\n\n"))
	}
	return stopped
}
