package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// portalsCmd deals with the portals that are served.
type portalsCmd struct {
	List   portalsListCmd   `cmd:"" default:"withargs" help:"List the portals." example:"leadsync portals" more:"docs/trouble.md#portals"`
	Show   portalsShowCmd   `cmd:"" help:"Show a portal: its state, tokens, bound events and budget." example:"leadsync portals show company.bitrix24.ru" more:"docs/trouble.md#portals"`
	Add    portalsAddCmd    `cmd:"" help:"Add a portal that is reached by webhooks; or let one in whose application is yet to be installed, or give one an application of its own." example:"leadsync portals add --member-id a223c6b3710f85df22e9377d6c4f7553 --domain company.bitrix24.ru" more:"docs/install.md"`
	Rebind portalsRebindCmd `cmd:"" help:"Bind the portal's events to this service again." example:"leadsync portals rebind company.bitrix24.ru" more:"docs/trouble.md#events-are-not-bound"`
	Claim  portalsClaimCmd  `cmd:"" help:"Give the leads of an adopted database that belong to no portal to one." example:"leadsync portals claim company.bitrix24.ru" more:"docs/trouble.md#adopted-leads-belong-to-no-portal"`
	Remove portalsRemoveCmd `cmd:"" help:"Forget a portal and erase everything leadsync keeps of it." example:"leadsync portals remove company.bitrix24.ru --yes" more:"docs/operations.md"`
}

// portalsView is the list as JSON.
type portalsView struct {
	Portals   []service.PortalView `json:"portals"`
	Unclaimed int64                `json:"unclaimed_leads"` // of an adopted database, of no portal
}

type portalsListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run lists.
func (l portalsListCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		portals, err := db.Portals(ctx)
		if err != nil {
			return err
		}
		views := make([]service.PortalView, len(portals))
		for i, p := range portals {
			views[i] = service.ViewPortal(p)
		}
		unclaimed, err := db.Unclaimed(ctx)
		if err != nil {
			return err
		}
		if l.JSON {
			return json.NewEncoder(a.stdout).Encode(portalsView{views, unclaimed})
		}
		if len(views) == 0 {
			_, err = fmt.Fprintln(a.stdout, "no portal is connected yet: install the application in Bitrix24, or add a webhook")
		}
		for _, v := range views {
			_, err = fmt.Fprintf(a.stdout, "%-34s %-12s %-20s %s\n", v.MemberID, v.Way, v.State, v.Domain)
		}
		if unclaimed > 0 && err == nil {
			_, err = fmt.Fprintln(a.stdout, unclaimedWords(unclaimed))
		}
		return err
	})
}

type portalsShowCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run shows one portal, from the database alone: the portal is not asked.
func (s portalsShowCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		p, err := service.FindPortal(ctx, db, s.Portal)
		if err != nil {
			return err
		}
		r, err := service.ReportPortal(ctx, db, p)
		if err != nil {
			return err
		}
		if s.JSON {
			return json.NewEncoder(a.stdout).Encode(r)
		}
		return printPortal(a.stdout, r)
	})
}

func printPortal(out io.Writer, r service.PortalReport) error {
	var err error
	line := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format+"\n", args...)
		}
	}
	line("%s  %s (%s)", r.MemberID, r.Domain, r.Way)
	line("  state      %s", r.State)
	if r.Problem != "" {
		line("  problem    %s, since %s", r.Problem, stamp(*r.ProblemAt))
	}
	if r.Note != "" {
		line("  note       %s", r.Note)
	}
	line("  endpoint   %s", r.Endpoint)
	if r.ClientID != "" {
		line("  client     %s, its own", r.ClientID)
	}
	line("  leads      %s in the mirror", leads.Amount(r.Leads, "row"))
	if r.Unclaimed > 0 {
		line("  unclaimed  %s", unclaimedWords(r.Unclaimed))
	}
	if !r.TokenKnown {
		line("  callbacks  the application_token is not known yet: the first callback of a user teaches it")
	}
	for _, t := range r.Tokens {
		who := "user"
		if t.SystemUser {
			who = "system user"
		}
		line("  tokens     of %s %d: access until %s, refresh dies about %s if unused", who, t.UserID, stamp(t.ExpiresAt), t.Idle.Format(time.DateOnly))
	}
	if r.BoundAt != nil {
		line("  events     %d bound, looked up %s", len(r.Bound), stamp(*r.BoundAt))
	}
	for _, b := range r.Bound {
		line("             %s", b)
	}
	line("  owner      %s (number %d)", r.Owner, r.Epoch)
	if b := r.Budget; b != nil {
		line("  budget     %.0f of %.0f requests in the bucket (%s plan), share %.3g, %s, at %s", b.Level, b.Depth, b.Plan, b.Share, leads.Amount(b.Refusals, "refusal"), stamp(b.At))
	}
	if p := r.LastPass; p != nil {
		line("  last pass  %s, %s %s: %s compared in %.1f s", p.Mode, p.State, stamp(*r.LastPassAt), leads.Amount(p.Scanned, "lead"), p.Seconds)
	}
	return err
}

func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }
