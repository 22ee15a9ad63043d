package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// whyCmd tells a lead's story.
type whyCmd struct {
	Lead  string `arg:"" name:"portal/lead" help:"The lead: the portal's host or member_id, a slash, and the lead's id, such as my.bitrix24.ru/17."`
	Since length `default:"7d" help:"How far back to look, such as 36h or 30d."`
	Limit int    `default:"1000" help:"How many moments to tell, the newest."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
}

// Run tells it from the journal and the database; neither a running service nor NATS is needed.
func (w whyCmd) Run(ctx context.Context, a *app) error {
	name, number, _ := strings.Cut(w.Lead, "/")
	id, err := leads.ParseID(number)
	if err != nil || w.Since <= 0 || w.Limit <= 0 {
		return usageError{errors.New("why takes PORTAL/LEAD, such as my.bitrix24.ru/17, a --since such as 7d and a --limit, both above 0")}
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	return a.withDatabase(ctx, func(db *repo.DB) error {
		portal, err := service.FindPortal(ctx, db, name)
		if err != nil {
			return err
		}
		a.wait.Begin("Reading the journal and the database")
		told, err := service.Why(ctx, db, cfg, portal, id, service.Span{Since: cfg.Now().Add(-time.Duration(w.Since)), Most: w.Limit})
		if err != nil {
			return err
		}
		if w.JSON {
			return json.NewEncoder(a.stdout).Encode(told)
		}
		_, err = fmt.Fprint(a.stdout, told.In(time.Local))
		return err
	})
}
