package main

import (
	"context"
	"errors"

	"leadsync/repo"
	"leadsync/service"
)

// join opens database and NATS for a command, beside a running service or alone, where a service has worked before.
func (a *app) join(ctx context.Context, work func(*service.Backend) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := cfg.MissingData(); err != nil {
		return err
	}
	return a.joinOrMake(ctx, cfg, work)
}

// joinOrMake is join for a command that may be the first one.
func (a *app) joinOrMake(ctx context.Context, cfg service.Config, work func(*service.Backend) error) (err error) {
	a.wait.Begin("Connecting to the database and NATS")
	b, err := service.Join(ctx, cfg, service.NewLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	a.wait.Begin("Reading the database")
	return work(b)
}

// withDatabase opens the database alone, beside a running service or without one: what it
// holds can be read while all else is down.
func (a *app) withDatabase(ctx context.Context, work func(*repo.DB) error) error {
	return a.withAnyDatabase(ctx, func(db *repo.DB) error {
		if err := db.CheckMigrated(ctx); err != nil {
			return err
		}
		a.wait.Begin("Reading the database")
		return work(db)
	})
}

// withAnyDatabase is withDatabase also where the tables are those of an older or newer program.
func (a *app) withAnyDatabase(ctx context.Context, work func(*repo.DB) error) (err error) {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := cfg.CheckDatabase(); err != nil {
		return err
	}
	a.wait.Begin("Connecting to the database")
	db, err := service.OpenDatabase(ctx, cfg, service.NewLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return work(db)
}
