package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// portalsCmd deals with the portals that are served.
type portalsCmd struct {
	List   portalsListCmd   `cmd:"" default:"withargs" help:"List the portals."`
	Show   portalsShowCmd   `cmd:"" help:"Show a portal: its state, tokens, bound events and budget."`
	Add    portalsAddCmd    `cmd:"" help:"Add a portal that is reached by webhooks; or let one in whose application is yet to be installed, or give one an application of its own."`
	Rebind portalsRebindCmd `cmd:"" help:"Bind the portal's events to this service again."`
	Claim  portalsClaimCmd  `cmd:"" help:"Give the leads of an adopted database that belong to no portal to one."`
	Remove portalsRemoveCmd `cmd:"" help:"Forget a portal and erase everything leadsync keeps of it."`
}

// portalView is a portal as it is printed. It has no secret in it.
type portalView struct {
	MemberID  string            `json:"member_id"`
	Domain    string            `json:"domain"`
	State     leads.PortalState `json:"state"`
	Way       string            `json:"way"` // application or webhook
	UpdatedAt time.Time         `json:"updated_at"`
}

func viewPortal(p leads.Portal) portalView {
	v := portalView{MemberID: p.MemberID, Domain: p.Domain, State: p.State, Way: "application", UpdatedAt: p.UpdatedAt}
	if p.WebhookURL != "" {
		v.Way = "webhook"
	}
	return v
}

// portalsView is the list as JSON.
type portalsView struct {
	Portals   []portalView `json:"portals"`
	Unclaimed int64        `json:"unclaimed_leads"` // of an adopted database, of no portal
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
		views := make([]portalView, len(portals))
		for i, p := range portals {
			views[i] = viewPortal(p)
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

// portalReport is what show prints.
type portalReport struct {
	portalView

	Endpoint   string         `json:"endpoint"`             // of a webhook the host alone
	AuthServer string         `json:"authorization_server"` // "" for a webhook
	ClientID   string         `json:"client_id"`            // of the portal's own application; "" is the one of the settings
	TokenKnown bool           `json:"application_token_known"`
	Tokens     []tokenReport  `json:"tokens"`
	Bound      []string       `json:"bound_events"`
	BoundAt    *time.Time     `json:"bound_at"`
	Owner      string         `json:"owner"` // the process that took it last
	Epoch      int64          `json:"epoch"`
	Budget     *budgetReport  `json:"budget"`
	Problem    string         `json:"problem,omitempty"` // why the portal cannot be read, and what to do
	ProblemAt  *time.Time     `json:"problem_since,omitempty"`
	Note       string         `json:"note,omitempty"`
	Leads      int64          `json:"leads"`           // rows that are no tombstones
	Unclaimed  int64          `json:"unclaimed_leads"` // of an adopted database, of no portal
	LastPass   *leads.Summary `json:"last_pass"`
}

// tokenReport is a pair of tokens, without them.
type tokenReport struct {
	UserID     int64     `json:"user_id"`
	SystemUser bool      `json:"system_user"`
	ExpiresAt  time.Time `json:"access_token_expires_at"`
	Idle       time.Time `json:"refresh_token_dies_about"` // unless it is used before
}

// budgetReport is how an owner has noted its budget.
type budgetReport struct {
	At       time.Time `json:"at"`
	Level    float64   `json:"level"`
	Depth    float64   `json:"depth"`
	Plan     string    `json:"plan"` // standard or enterprise
	Share    float64   `json:"share"`
	Refusals int64     `json:"refusals"`
}

// Run shows one portal, from the database alone: the portal is not asked.
func (s portalsShowCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		p, err := findPortal(ctx, db, s.Portal)
		if err != nil {
			return err
		}
		r, err := reportPortal(ctx, db, p)
		if err != nil {
			return err
		}
		if s.JSON {
			return json.NewEncoder(a.stdout).Encode(r)
		}
		return r.print(a.stdout)
	})
}

func reportPortal(ctx context.Context, db *repo.DB, p leads.Portal) (portalReport, error) {
	r := portalReport{portalView: viewPortal(p), Endpoint: p.ClientEndpoint, AuthServer: p.ServerEndpoint, ClientID: p.ClientID, TokenKnown: p.TokenHash != "", Tokens: []tokenReport{}}
	if p.WebhookURL != "" {
		r.Endpoint = "https://" + p.Domain + "/rest/…"
	}
	grants, err := db.Grants(ctx, p.MemberID)
	if err != nil {
		return r, err
	}
	for _, g := range grants {
		r.Tokens = append(r.Tokens, tokenReport{g.UserID, g.System, g.ExpiresAt, g.DiesAt()})
	}
	standing, _, err := db.Standing(ctx, p.MemberID)
	if err != nil {
		return r, err
	}
	r.Bound, r.Owner, r.Epoch = standing.Bound, standing.Owner, standing.Epoch
	if !standing.BoundAt.IsZero() {
		r.BoundAt = &standing.BoundAt
	}
	r.Note = standing.Note
	if r.Problem = standing.Problem; r.Problem != "" {
		r.ProblemAt = &standing.ProblemSince
	}
	if b := standing.Budget; !b.At.IsZero() {
		r.Budget = &budgetReport{b.At, b.Level, b.Depth, b.Plan, b.Share, b.Refusals}
	}
	if r.Leads, err = db.CountLeads(ctx, p.MemberID); err != nil {
		return r, err
	}
	if r.Unclaimed, err = db.Unclaimed(ctx); err != nil {
		return r, err
	}
	run, ok, err := db.LastCompleted(ctx, p.MemberID)
	if ok {
		summary := run.Summary()
		r.LastPass = &summary
	}
	return r, err
}

func (r portalReport) print(out io.Writer) error {
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
	line("  leads      %d in the mirror", r.Leads)
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
		line("  budget     %.0f of %.0f requests in the bucket (%s plan), share %.3g, %d refusals, at %s", b.Level, b.Depth, b.Plan, b.Share, b.Refusals, stamp(b.At))
	}
	if p := r.LastPass; p != nil {
		line("  last pass  %s, %s: %d leads compared in %.1f s", p.Mode, p.State, p.Scanned, p.Seconds)
	}
	return err
}

func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }
