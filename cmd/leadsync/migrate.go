package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"leadsync/migration"
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
	migrate := migration.Migration{DB: db, Out: a.stdout, Wait: a.wait, Paint: a.paint}
	switch {
	case m.Plan:
		return migrate.Plan(ctx)
	case m.Down:
		return migrate.Down(ctx)
	}
	if err := migrate.Up(ctx); err != nil {
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
