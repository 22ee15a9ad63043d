package main

import (
	"context"
	"errors"
	"fmt"
)

type migrateCmd struct {
	Plan bool `help:"Only print which migrations are pending."`
}

// Run creates or updates the tables.
func (m migrateCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := makeDataDir(cfg); err != nil {
		return err
	}
	db, err := openDB(ctx, cfg, newLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	names, err := db.MigrationPlan(ctx)
	if err == nil && !m.Plan {
		names, err = db.Migrate(ctx)
	}
	if err != nil {
		return err
	}
	verb := "applied"
	if m.Plan {
		verb = "pending"
	}
	for _, name := range names {
		fmt.Fprintln(a.stdout, verb, name)
	}
	if len(names) == 0 {
		fmt.Fprintln(a.stdout, "the tables are up to date")
	}
	return nil
}
