package service

import (
	"context"
	"fmt"
	"io"

	"leadsync/leads"
	"leadsync/repo"
)

// Claim is what a portal has got of an adopted database.
type Claim struct {
	Claimed    string `json:"claimed"` // the portal's member_id
	Leads      int64  `json:"leads"`
	Contacts   int64  `json:"contacts"`
	Solutions  int64  `json:"solutions"`
	Failures   int64  `json:"import_errors"`
	Duplicates int64  `json:"duplicates"`
	Outdated   int64  `json:"outdated"`
	domain     string
}

// ClaimFor gives the rows that belong to no portal to the one of that name, beside a running service or without one.
func ClaimFor(ctx context.Context, db *repo.DB, name string, wait *Waiting) (Claim, error) {
	portal, err := FindPortal(ctx, db, name)
	if err != nil {
		return Claim{}, err
	}
	done, err := db.Claim(ctx, portal.MemberID, NewSteps(wait).Show)
	if err != nil {
		return Claim{}, fmt.Errorf("%w\nWhat is claimed stays claimed: run the same command again, and it continues", err)
	}
	return Claim{portal.MemberID, done.Leads, done.Contacts, done.Solutions, done.Failures, done.Duplicates, done.Outdated, portal.Domain}, nil
}

// WriteText writes it as people read it.
func (c Claim) WriteText(out io.Writer) (err error) {
	if c == (Claim{Claimed: c.Claimed, domain: c.domain}) {
		_, err = fmt.Fprintln(out, "no rows wait for a portal")
		return err
	}
	_, err = fmt.Fprintf(out, `portal %s (%s) has got %s, %s, %s and %s
%s moved to leadsync_duplicate_leads, because the portal has a newer row of the lead
%d contacts and solutions deleted, because leadsync has read newer ones from the portal
`, c.Claimed, c.domain, leads.Amount(c.Leads, "lead"), leads.Amount(c.Contacts, "contact"), leads.Amount(c.Solutions, "solution"),
		leads.Amount(c.Failures, "import error"), leads.Amount(c.Duplicates, "row"), c.Outdated)
	return err
}
