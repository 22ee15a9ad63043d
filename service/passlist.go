package service

import (
	"context"
	"errors"
	"fmt"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

// PassHistory lists the newest passes of each portal, or of the one of that name.
func PassHistory(ctx context.Context, db *repo.DB, name string, most int) (reconcile.History, error) {
	portals, err := db.Portals(ctx)
	if name != "" && err == nil {
		portals = make([]leads.Portal, 1)
		portals[0], err = FindPortal(ctx, db, name)
	}
	if err != nil {
		return reconcile.History{}, err
	}
	history := reconcile.History{Hosts: leads.HostsOf(portals)}
	for _, p := range portals {
		runs, err := db.Runs(ctx, p.MemberID, most)
		if err != nil {
			return history, err
		}
		history.Runs = append(history.Runs, runs...)
	}
	return history, nil
}

// PassFindings lists what a pass found, at most that many; the pass "last" is the newest that found something.
func PassFindings(ctx context.Context, db *repo.DB, id string, most int) (reconcile.Findings, error) {
	id, err := passNamed(ctx, db, id)
	if err != nil {
		return reconcile.Findings{}, err
	}
	found, err := db.Findings(ctx, id)
	return reconcile.NewFindings(id, found, most), err
}

func passNamed(ctx context.Context, db *repo.DB, id string) (string, error) {
	if id == "last" {
		return lastWithFindings(ctx, db)
	}
	_, ok, err := db.Run(ctx, id)
	if err == nil && !ok {
		err = UsageError{fmt.Errorf("there is no pass %s; leadsync reconcile history lists them", id)}
	}
	return id, err
}

func lastWithFindings(ctx context.Context, db *repo.DB) (string, error) {
	portals, err := db.Portals(ctx)
	if err != nil {
		return "", err
	}
	var last leads.Run
	for _, p := range portals {
		runs, err := db.Runs(ctx, p.MemberID, runsBack)
		if err != nil {
			return "", err
		}
		for _, run := range runs {
			if run.Mode != leads.RunImport && run.Found() > 0 && run.RequestedAt.After(last.RequestedAt) {
				last = run
			}
		}
	}
	if last.ID == "" {
		return "", errors.New("no pass has found anything yet")
	}
	return last.ID, nil
}
