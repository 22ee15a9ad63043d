package main

import (
	"context"
	"encoding/json"
	"fmt"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

type portalsClaimCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object at the end, and no progress."`
}

// claimView is a claim as it is printed.
type claimView struct {
	Claimed    string `json:"claimed"` // the portal's member_id
	Leads      int64  `json:"leads"`
	Contacts   int64  `json:"contacts"`
	Solutions  int64  `json:"solutions"`
	Failures   int64  `json:"import_errors"`
	Duplicates int64  `json:"duplicates"`
	Outdated   int64  `json:"outdated"`
}

// Run claims, beside a running service or without one.
func (c portalsClaimCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		portal, err := service.FindPortal(ctx, db, c.Portal)
		if err != nil {
			return err
		}
		done, err := db.Claim(ctx, portal.MemberID, service.NewSteps(a.wait).Show)
		if err != nil {
			return fmt.Errorf("%w\nWhat is claimed stays claimed: run the same command again, and it continues", err)
		}
		if c.JSON {
			return json.NewEncoder(a.stdout).Encode(claimView{portal.MemberID, done.Leads, done.Contacts, done.Solutions, done.Failures, done.Duplicates, done.Outdated})
		}
		if done == (repo.Claimed{}) {
			_, err = fmt.Fprintln(a.stdout, "no rows wait for a portal")
			return err
		}
		_, err = fmt.Fprintf(a.stdout, `portal %s (%s) has got %s, %s, %s and %s
%s moved to leadsync_duplicate_leads, because the portal has a newer row of the lead
%d contacts and solutions deleted, because leadsync has read newer ones from the portal
`, portal.MemberID, portal.Domain, leads.Amount(done.Leads, "lead"), leads.Amount(done.Contacts, "contact"), leads.Amount(done.Solutions, "solution"),
			leads.Amount(done.Failures, "import error"), leads.Amount(done.Duplicates, "row"), done.Outdated)
		return err
	})
}
