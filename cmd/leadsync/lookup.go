package main

import (
	"context"
	"errors"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// lookupCmd answers as GET /api/v1/lookup does, from the database alone.
type lookupCmd struct {
	Phone string `arg:"" help:"The number, as it was dialled or written."`
	Limit int    `default:"50" help:"The most leads that are printed."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
}

// Run prints whose number it is. That nobody has it is an answer: the exit code is 0.
func (l lookupCmd) Run(ctx context.Context, a *app) error {
	if _, ok := leads.CallerDigits(l.Phone, ""); !ok {
		return usageError{errors.New("lookup takes a telephone number of at least three digits, such as +79123456789")}
	}
	return a.withDatabase(ctx, func(db *repo.DB) error {
		digits, _ := leads.CallerDigits(l.Phone, db.PhoneRegion())
		found, err := db.Callers(ctx, digits, max(1, l.Limit))
		if err != nil {
			return err
		}
		if err := a.print(leads.NewAnswer(found), l.JSON); err != nil || l.JSON || len(found) > 0 {
			return err
		}
		return a.lackPortals(ctx, db)
	})
}

// lackPortals says that no portal is connected, where none is: then nothing is known of any lead.
func (a *app) lackPortals(ctx context.Context, db *repo.DB) error {
	list, err := service.ListPortals(ctx, db)
	if err != nil || len(list.Portals) > 0 {
		return err
	}
	return a.print(list, false)
}
