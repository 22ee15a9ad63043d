package service

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

// PortalView is a portal as it is printed. It has no secret in it.
type PortalView struct {
	MemberID  string            `json:"member_id"`
	Domain    string            `json:"domain"`
	State     leads.PortalState `json:"state"`
	Way       string            `json:"way"` // application or webhook
	UpdatedAt time.Time         `json:"updated_at"`
}

// The ways in which portals are connected.
const (
	application = "application"
	webhook     = "webhook"
)

// ViewPortal is the portal without its secrets.
func ViewPortal(p leads.Portal) PortalView {
	v := PortalView{MemberID: p.MemberID, Domain: p.Domain, State: p.State, Way: application, UpdatedAt: p.UpdatedAt}
	if p.WebhookURL != "" {
		v.Way = webhook
	}
	return v
}

// PortalReport is a portal as `leadsync portals show` prints it.
type PortalReport struct {
	PortalView

	Endpoint   string         `json:"endpoint"`             // of a webhook the host alone
	AuthServer string         `json:"authorization_server"` // "" for a webhook
	ClientID   string         `json:"client_id"`            // of the portal's own application; "" is the one of the settings
	TokenKnown bool           `json:"application_token_known"`
	Tokens     []TokenReport  `json:"tokens"`
	Bound      []string       `json:"bound_events"`
	BoundAt    *time.Time     `json:"bound_at"`
	Owner      string         `json:"owner"` // the process that took it last
	Epoch      int64          `json:"epoch"`
	Budget     *BudgetReport  `json:"budget"`
	Problem    string         `json:"problem,omitempty"` // why the portal cannot be read, and what to do
	ProblemAt  *time.Time     `json:"problem_since,omitempty"`
	Note       string         `json:"note,omitempty"`
	Leads      int64          `json:"leads"`           // rows that are no tombstones
	Unclaimed  int64          `json:"unclaimed_leads"` // of an adopted database, of no portal
	LastPass   *leads.Summary `json:"last_pass"`
	LastPassAt *time.Time     `json:"last_pass_at"` // when it completed
}

// TokenReport is a pair of tokens, without them.
type TokenReport struct {
	UserID     int64     `json:"user_id"`
	SystemUser bool      `json:"system_user"`
	ExpiresAt  time.Time `json:"access_token_expires_at"`
	Idle       time.Time `json:"refresh_token_dies_about"` // unless it is used before
}

// BudgetReport is how an owner has noted its budget.
type BudgetReport struct {
	At       time.Time `json:"at"`
	Level    float64   `json:"level"`
	Depth    float64   `json:"depth"`
	Plan     string    `json:"plan"` // standard or enterprise
	Share    float64   `json:"share"`
	Refusals int64     `json:"refusals"`
}

// ReportPortal reads everything about a portal from the database alone.
func ReportPortal(ctx context.Context, db *repo.DB, p leads.Portal) (PortalReport, error) {
	r, err := reportWithoutCounts(ctx, db, p)
	if err != nil {
		return r, err
	}
	if r.Leads, err = db.CountLeads(ctx, p.MemberID); err != nil {
		return r, err
	}
	r.Unclaimed, err = db.Unclaimed(ctx)
	return r, err
}

// reportWithoutCounts is ReportPortal without what the database has to count: a million rows take
// longer than a page may.
func reportWithoutCounts(ctx context.Context, db *repo.DB, p leads.Portal) (PortalReport, error) {
	r := PortalReport{PortalView: ViewPortal(p), Endpoint: p.ClientEndpoint, AuthServer: p.ServerEndpoint, ClientID: p.ClientID, TokenKnown: p.TokenHash != "", Tokens: []TokenReport{}}
	if p.WebhookURL != "" {
		r.Endpoint = "https://" + p.Domain + "/rest/…"
	}
	grants, err := db.Grants(ctx, p.MemberID)
	if err != nil {
		return r, err
	}
	for _, g := range grants {
		r.Tokens = append(r.Tokens, TokenReport{g.UserID, g.System, g.ExpiresAt, g.DiesAt()})
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
		r.Budget = &BudgetReport{b.At, b.Level, b.Depth, b.Plan, b.Share, b.Refusals}
	}
	run, ok, err := db.LastCompleted(ctx, p.MemberID)
	if ok {
		summary := run.Summary()
		r.LastPass, r.LastPassAt = &summary, &run.FinishedAt
	}
	return r, err
}

// WriteText writes it as people read it.
func (r PortalReport) WriteText(out io.Writer) error {
	var err error
	line := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format+"\n", args...)
		}
	}
	line("%s  %s (%s)", r.MemberID, r.Domain, r.Way)
	line("  state      %s", r.State)
	if r.Problem != "" {
		line("  problem    %s, since %s", leads.OneLine(r.Problem), stamp(*r.ProblemAt))
	}
	if r.Note != "" {
		line("  note       %s", leads.OneLine(r.Note))
	}
	r.writeConnection(line)
	r.writeWork(line)
	return err
}

// writeConnection writes what is known of the portal's application and its log-ins.
func (r PortalReport) writeConnection(line func(format string, args ...any)) {
	line("  endpoint   %s", cmp.Or(r.Endpoint, "not known yet: the installation or the first log-in tells it"))
	if r.ClientID != "" {
		line("  client     %s, its own", r.ClientID)
	}
	if !r.TokenKnown {
		line("  callbacks  the application_token is not known yet: the first callback of a user teaches it")
	}
	if len(r.Tokens) == 0 && r.Way == application {
		line("  tokens     none: no administrator has logged in yet")
	}
	for _, t := range r.Tokens {
		who := "user"
		if t.SystemUser {
			who = "system user"
		}
		line("  tokens     of %s %d: access until %s, refresh dies about %s if unused", who, t.UserID, stamp(t.ExpiresAt), t.Idle.Format(time.DateOnly))
	}
	if r.BoundAt == nil {
		line("  events     not looked up yet: the process that works for the portal does so")
	} else {
		line("  events     %d bound, looked up %s", len(r.Bound), stamp(*r.BoundAt))
	}
	for _, b := range r.Bound {
		line("             %s", b)
	}
}

// writeWork writes what leadsync has done for the portal.
func (r PortalReport) writeWork(line func(format string, args ...any)) {
	line("  leads      %s in the mirror", leads.Amount(r.Leads, "row"))
	if r.Unclaimed > 0 {
		line("  unclaimed  %s", UnclaimedWords(r.Unclaimed))
	}
	if r.Owner == "" {
		line("  owner      none yet: no leadsync serve has worked for the portal")
	} else {
		line("  owner      %s (number %d)", r.Owner, r.Epoch)
	}
	if b := r.Budget; b != nil {
		line("  budget     %.0f of %.0f requests in the bucket (%s plan), share %.3g, %s, noted at %s", b.Level, b.Depth, b.Plan, b.Share, leads.Amount(b.Refusals, "refusal"), stamp(b.At))
	}
	if p := r.LastPass; p == nil {
		line("  last pass  none yet")
	} else {
		line("  last pass  %s, %s %s: %s compared in %.1f s", p.Mode, p.State, stamp(*r.LastPassAt), leads.Amount(p.Scanned, "lead"), p.Seconds)
	}
}

func stamp(t time.Time) string { return t.Local().Format(time.DateTime) }
