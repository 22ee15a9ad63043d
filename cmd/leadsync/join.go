package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// config reads the environment for a command; its faults are usage errors.
func (a *app) config() (service.Config, error) {
	cfg, err := service.ReadConfig(a.lookupEnv)
	if err != nil {
		return cfg, usageError{fmt.Errorf("the configuration is wrong:\n%w", err)}
	}
	return cfg, nil
}

// join opens database and NATS for a command, beside a running service or alone.
func (a *app) join(ctx context.Context, work func(*service.Backend) error) (err error) {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	b, err := service.Join(ctx, cfg, service.NewLog(a.stderr, cfg))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return work(b)
}

// withDatabase opens the database alone, beside a running service or without one: what it
// holds can be read while all else is down.
func (a *app) withDatabase(ctx context.Context, work func(*repo.DB) error) (err error) {
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
	if err := db.CheckMigrated(ctx); err != nil {
		return err
	}
	return work(db)
}

// findPortal finds a portal by its member_id or its domain.
func findPortal(ctx context.Context, db *repo.DB, name string) (leads.Portal, error) {
	portals, err := db.Portals(ctx)
	if err != nil {
		return leads.Portal{}, err
	}
	for _, p := range portals {
		if strings.EqualFold(p.MemberID, name) || strings.EqualFold(p.Domain, name) {
			return p, nil
		}
	}
	return leads.Portal{}, usageError{fmt.Errorf("portal %q is not known here; `leadsync portals list` shows those that are", name)}
}
