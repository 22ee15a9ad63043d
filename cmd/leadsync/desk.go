package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/reconcile"
)

// callbackPath is where Bitrix24 posts everything.
const callbackPath = "/bitrix24/events"

// bindEvery is how often it is looked whether the events are still bound, and firstBind
// how long after a portal became ours: an installation binds at once anyway.
const (
	bindEvery = time.Hour
	firstBind = time.Minute
	// keepEvery is how often it is looked whether tokens die for want of use.
	keepEvery = 12 * time.Hour
)

// desk is one portal as its owner works on it: the place where the client of Bitrix24,
// the passes and the mirror meet.
type desk struct {
	*base

	own    consumers.Ownership
	client *bitrix24.Client
	budget *bitrix24.Budget
	chain  *bitrix24.TokenSource // nil where a webhook is used
	wake   func()

	binding  sync.Mutex // one at a time
	bindAt   time.Time  // when to look again; of Upkeep alone, as are those below
	boundAt  time.Time  // when they were seen to be bound
	keepAt   time.Time
	reported leads.Budget

	reportedAt time.Time
	notedAt    time.Time    // the read that bitrix_lead_runtime has
	readAt     atomic.Int64 // when a lead was read last, in Unix milliseconds

	offline   offline
	heartbeat heartbeat
	silence   atomic.Int64 // changes without a callback that the last changed pass found, or the queue since
}

// openDesk opens a portal that this process owns.
func (b *base) openDesk(own consumers.Ownership, wake func()) (*desk, error) {
	d := &desk{base: b, own: own, wake: wake, budget: bitrix24.NewBudget(own.Epoch == 1)}
	d.bindAt = time.Now().Add(d.pace(firstBind))
	d.offline.at = time.Now().Add(d.pace(drainFirst))
	var err error
	if d.client, d.chain, err = b.openClient(own.Portal, d.budget); err != nil {
		return nil, err
	}
	b.desks.open(d)
	return d, nil
}

// openClient makes a client of a portal, with its chain of tokens where it has one. Only
// the portal's owner may use it.
func (b *base) openClient(portal leads.Portal, budget *bitrix24.Budget) (*bitrix24.Client, *bitrix24.TokenSource, error) {
	if portal.WebhookURL != "" {
		return bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: portal.WebhookURL, Budget: budget}), nil, nil
	}
	endpoint, err := b.cfg.trust.Endpoint(portal.ClientEndpoint)
	if err != nil {
		return nil, nil, fmt.Errorf("portal %s: %w", portal.MemberID, err)
	}
	chain := &bitrix24.TokenSource{
		MemberID: portal.MemberID, Server: portal.ServerEndpoint, OAuth: b.oauth().As(portal.ClientID, portal.ClientSecret), Grants: b.db, By: b.holder, Log: b.log,
	}
	home := &bitrix24.Home{
		MemberID: portal.MemberID, Server: portal.ServerEndpoint, OAuth: chain.OAuth, Tokens: chain,
		Move: func(ctx context.Context, endpoint string) error { return b.movePortal(ctx, portal, endpoint) },
	}
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(endpoint), Tokens: chain, Budget: budget, Moved: home.Moved,
	}), chain, nil
}

// movePortal stores the new address of a portal that was renamed.
func (b *base) movePortal(ctx context.Context, portal leads.Portal, endpoint string) error {
	if endpoint == portal.ClientEndpoint {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("portal %s: its new address is none", portal.MemberID)
	}
	b.log.WarnContext(ctx, "portal was renamed", "member_id", portal.MemberID, "from", portal.Domain, "to", u.Host)
	return b.db.MovePortal(ctx, portal.MemberID, u.Host, endpoint)
}

func (b *base) oauth() *bitrix24.OAuth {
	return &bitrix24.OAuth{
		ClientID: b.cfg.clientID, ClientSecret: b.cfg.clientSecret, Trust: b.cfg.trust,
		HTTP: bitrix24.NewHTTP(), Now: b.cfg.now,
	}
}

// pace is how long to wait, which tests shorten.
func (d *desk) pace(wait time.Duration) time.Duration {
	return wait / time.Duration(max(1, d.cfg.hurry))
}

// Close implements consumers.Desk.
func (d *desk) Close() {
	d.desks.close(d)
	if d.chain == nil {
		return
	}
	if err := d.chain.Close(); err != nil {
		d.log.Error("refreshed tokens are lost: somebody has to authorize the portal again", "member_id", d.own.Portal.MemberID, "error", err)
	}
}

// Leads implements consumers.Reader.
func (d *desk) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	snaps, err := d.client.Leads().Read(ctx, ids, d.own.Tickets.Draw)
	if err == nil {
		d.readAt.Store(d.cfg.now().UnixMilli())
	}
	return snaps, err
}

// Bind implements consumers.Desk. A webhook cannot bind: its outgoing webhook is made by
// hand in Bitrix24.
func (d *desk) Bind(ctx context.Context) error {
	if d.chain == nil {
		return nil
	}
	d.chain.Reload() // what made us bind may have brought tokens
	if _, err := d.bind(ctx); err != nil {
		return err
	}
	d.followPlan(ctx)
	return nil
}

// bind returns the events that were not bound.
func (d *desk) bind(ctx context.Context) ([]bitrix24.Event, error) {
	if d.cfg.publicURL == "" {
		d.log.WarnContext(ctx, "events are not bound: set LEADSYNC_PUBLIC_URL to an address that Bitrix24 can reach", "member_id", d.own.Portal.MemberID)
		return nil, nil
	}
	d.binding.Lock()
	defer d.binding.Unlock()
	bound, added, err := d.client.In(bitrix24.Operator).Events().Bind(ctx, d.cfg.publicURL+callbackPath)
	if err != nil {
		return nil, err
	}
	if len(added) > 0 {
		d.log.InfoContext(ctx, "events bound", "member_id", d.own.Portal.MemberID, "events", added)
	}
	return added, d.db.SaveBound(ctx, d.own.Portal.MemberID, boundLines(bound))
}

// boundLines are bindings as they are kept and shown.
func boundLines(bound []bitrix24.Binding) []string {
	lines := make([]string, len(bound))
	for i, b := range bound {
		if lines[i] = string(b.Event) + " " + b.Handler; b.Offline {
			lines[i] = string(b.Event) + " offline"
		}
	}
	return lines
}

// followPlan has the budget follow the portal's plan. Until that is known, and where the
// portal does not say, it is the standard one.
func (d *desk) followPlan(ctx context.Context) {
	plan, err := d.client.In(bitrix24.Operator).Application().Plan(ctx)
	was := d.budget.State().Plan
	switch {
	case err != nil:
		d.log.WarnContext(ctx, "portal's plan is not known", "member_id", d.own.Portal.MemberID, "followed", was.Name, "error", err)
	case plan != was:
		d.log.InfoContext(ctx, "budget follows the portal's plan", "member_id", d.own.Portal.MemberID, "plan", plan.Name, "before", was.Name,
			"requests_a_second", plan.Leak, "depth", plan.Depth)
		d.budget.Follow(plan)
	}
}

// Installed implements consumers.Desk.
func (d *desk) Installed(ctx context.Context) (bool, error) {
	if d.chain == nil {
		return true, nil
	}
	if _, err := d.client.Read(ctx, "app.info", nil); err != nil {
		return false, err
	}
	return true, nil
}

// Upkeep implements consumers.Desk.
func (d *desk) Upkeep(ctx context.Context) error {
	now := time.Now()
	if err := errors.Join(d.saveBudget(ctx, now), d.noteRead(ctx)); err != nil {
		return err
	}
	if d.chain == nil {
		return nil
	}
	if now.After(d.bindAt) {
		if err := d.rebind(ctx); err != nil {
			return err
		}
		d.followPlan(ctx)
		d.bindAt = now.Add(d.pace(bindEvery))
	}
	if err := d.testWayIn(ctx, now); err != nil {
		return err
	}
	if now.After(d.keepAt) {
		if err := d.chain.KeepAlive(ctx); err != nil {
			return err
		}
		d.keepAt = now.Add(keepEvery)
	}
	return nil
}

// rebind sees that the events are still bound: an update of the application may have
// taken them away (docs/bitrix24.md 2.1). What happened meanwhile sent no callbacks.
func (d *desk) rebind(ctx context.Context) error {
	added, err := d.bind(ctx)
	if err != nil {
		return err // they were not seen to be bound
	}
	good := d.boundAt
	d.boundAt = d.cfg.now()
	d.reopenOffline()
	if !slices.ContainsFunc(added, bitrix24.Event.IsLead) {
		return nil // what an older version did not bind was not missed
	}
	last, imported, err := d.db.LastCompleted(ctx, d.own.Portal.MemberID)
	if err != nil || !imported {
		return err // the import, which is to come, sees everything
	}
	d.log.WarnContext(ctx, "events were no longer bound; everything is compared", "member_id", d.own.Portal.MemberID, "events", added)
	if good.IsZero() {
		good = last.StartedAt // they were bound then, or nothing would have been imported
	}
	if err := d.db.AddIncident(ctx, leads.Incident{
		MemberID: d.own.Portal.MemberID, Kind: leads.IncidentUnbound, From: good, To: d.boundAt, Detail: fmt.Sprint(added),
	}); err != nil {
		return err
	}
	_, err = d.db.RequestRun(ctx, leads.Run{MemberID: d.own.Portal.MemberID, Mode: leads.RunFull})
	return err
}

// saveBudget lets other processes see how the budget stands, when that has changed.
func (d *desk) saveBudget(ctx context.Context, now time.Time) error {
	s := d.client.State().Budget
	b := leads.Budget{Level: math.Round(s.Level), Depth: s.Depth, Plan: s.Plan.Name, Share: s.Share, Refusals: s.Refusals}
	if b == d.reported && !d.reportedAt.Before(now.Add(-time.Minute)) {
		return nil
	}
	if err := d.db.SaveBudget(ctx, d.own.Portal.MemberID, d.own.Epoch, b); err != nil {
		return err
	}
	d.reported, d.reportedAt = b, now
	return nil
}

// noteRead keeps the time of the last read for the reports that ask for it.
func (d *desk) noteRead(ctx context.Context) error {
	read := time.UnixMilli(d.readAt.Load())
	if !read.After(d.notedAt) || d.readAt.Load() == 0 {
		return nil
	}
	if err := d.db.TouchLeadGet(ctx, read); err != nil {
		return err
	}
	d.notedAt = read
	return nil
}

// Pass implements consumers.Desk. It publishes a summary when the run has ended.
func (d *desk) Pass(ctx context.Context, run leads.Run) error {
	if run.Mode == leads.RunImport || run.Mode == leads.RunFull {
		d.saveFieldTypes(ctx)
	}
	run, err := reconcile.Run(ctx, d.passConfig(), run)
	if !run.Finished() {
		return err
	}
	d.log.InfoContext(ctx, "pass ended", "member_id", run.MemberID, "run", run.ID, "mode", run.Mode, "state", run.State,
		"scanned", run.Scanned, "found", run.Found(), "repaired", run.Repaired(), "requests", run.Requests)
	err = errors.Join(err, d.listenForSilence(ctx, run), events.PublishRun(ctx, d.js, run))
	if run.State == leads.RunCompleted && (run.Mode == leads.RunFull || run.Mode == leads.RunImport) {
		err = errors.Join(err, d.db.TouchLeadList(ctx, d.cfg.now()))
	}
	return err
}

// saveFieldTypes keeps what the portal's custom fields are. A pass does without, where the
// portal does not tell.
func (d *desk) saveFieldTypes(ctx context.Context) {
	types, err := d.client.In(bitrix24.Background).Leads().FieldTypes(ctx)
	if err == nil {
		err = d.db.SaveFieldTypes(ctx, d.own.Portal.MemberID, types)
		d.missField(ctx, types)
	}
	if err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "types of custom fields are not known anew", "member_id", d.own.Portal.MemberID, "error", err)
	}
}

// missField says that the solution is of a field that the portal does not have.
func (d *desk) missField(ctx context.Context, types []leads.FieldType) {
	known := slices.ContainsFunc(types, func(t leads.FieldType) bool { return t.Field == d.cfg.solutionField })
	if d.cfg.solutionField != "" && !known {
		d.log.WarnContext(ctx, "the portal's leads have no custom field as LEADSYNC_SOLUTION_FIELD says: bitrix_lead_solution gets nothing from it",
			"member_id", d.own.Portal.MemberID, "field", d.cfg.solutionField, "fields", len(types))
	}
}

// passConfig is what passes over this portal work with.
func (d *desk) passConfig() reconcile.Config {
	return reconcile.Config{
		Portal: &scanner{desk: d, client: d.client.In(bitrix24.Background)},
		Mirror: d.db, Ledger: d.db, Witness: witness{d.base, d.own.Portal.MemberID}, Turn: d.own.Turn, Grace: d.cfg.grace, Young: d.cfg.young, Wake: d.wake,
		Now: func() time.Time { return d.cfg.now().UTC() }, Log: d.log,
	}
}

// scanner reads for a pass: in the lowest lane, and with tickets that are drawn while no
// live read is on its way.
type scanner struct {
	desk   *desk
	client *bitrix24.Client
}

// Clock implements reconcile.Portal.
func (s *scanner) Clock(ctx context.Context) (time.Time, error) { return s.client.Clock(ctx) }

// Scan implements reconcile.Portal.
func (s *scanner) Scan(ctx context.Context, after int64) (leads.Page, error) {
	return s.client.Leads().Scan(ctx, after, s.draw)
}

// Changed implements reconcile.Portal.
func (s *scanner) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	return s.client.Leads().Changed(ctx, after, since, s.draw)
}

// IDs implements reconcile.Portal.
func (s *scanner) IDs(ctx context.Context, after int64) (leads.Page, error) {
	return s.client.Leads().IDs(ctx, after, s.draw)
}

func (s *scanner) draw() leads.Ticket { return inTurn(s.desk.own.Turn, s.desk.own.Tickets) }

// Leads implements reconcile.Portal; it is called within a turn.
func (s *scanner) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return s.client.Hasty().Leads().Read(ctx, ids, s.desk.own.Tickets.Draw)
}

// Requests implements reconcile.Portal: those of passes alone, not of what callbacks and
// commands ask meanwhile.
func (s *scanner) Requests() int64 { return s.client.LaneRequests() }

// Refused implements reconcile.Portal.
func (s *scanner) Refused() int64 { return s.client.Refused() }

func inTurn(turn sync.Locker, tickets *leads.Tickets) leads.Ticket {
	turn.Lock()
	defer turn.Unlock()
	return tickets.Draw()
}
