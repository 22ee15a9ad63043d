package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/reconcile"
)

// callbackPath is where Bitrix24 posts everything.
const callbackPath = "/bitrix24/events"

// desk is one portal as its owner works on it: the place where the client of Bitrix24,
// the passes and the mirror meet.
type desk struct {
	*base

	own    consumers.Ownership
	client *bitrix24.Client
	wake   func()
	report func(leads.Run) // progress of passes; may be nil
}

// openDesk opens a portal that this process owns.
func (b *base) openDesk(own consumers.Ownership, wake func(), report func(leads.Run)) (*desk, error) {
	portal := own.Portal
	cfg := bitrix24.ClientConfig{Endpoint: portal.WebhookURL, Budget: bitrix24.NewBudget(own.Epoch == 1)}
	if portal.WebhookURL == "" {
		endpoint, err := b.cfg.trust.Endpoint(portal.ClientEndpoint)
		if err != nil {
			return nil, fmt.Errorf("portal %s: %w", portal.MemberID, err)
		}
		cfg.Endpoint = leads.Secret(endpoint)
		cfg.Tokens = &bitrix24.Chain{MemberID: portal.MemberID, Server: portal.ServerEndpoint, OAuth: b.oauth(), Grants: b.db}
	}
	return &desk{base: b, own: own, client: bitrix24.NewClient(cfg), wake: wake, report: report}, nil
}

func (b *base) oauth() *bitrix24.OAuth {
	return &bitrix24.OAuth{
		ClientID: b.cfg.clientID, ClientSecret: b.cfg.clientSecret, Trust: b.cfg.trust,
		HTTP: bitrix24.NewHTTP(), Now: time.Now,
	}
}

// Leads implements consumers.Reader.
func (d *desk) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return d.client.Leads(ctx, ids, d.own.Tickets.Draw)
}

// Bind implements consumers.Desk. A webhook cannot bind: its outgoing webhook is made by
// hand in Bitrix24.
func (d *desk) Bind(ctx context.Context) error {
	switch {
	case d.own.Portal.WebhookURL != "":
		return nil
	case d.cfg.publicURL == "":
		d.log.WarnContext(ctx, "events are not bound: set LEADSYNC_PUBLIC_URL to an address that Bitrix24 can reach", "member_id", d.own.Portal.MemberID)
		return nil
	}
	added, err := d.client.In(bitrix24.Operator).Bind(ctx, d.cfg.publicURL+callbackPath)
	if len(added) > 0 {
		d.log.InfoContext(ctx, "events bound", "member_id", d.own.Portal.MemberID, "events", added)
	}
	return err
}

// Rebind implements consumers.Subscriber.
func (d *desk) Rebind(ctx context.Context) ([]string, error) {
	if d.own.Portal.WebhookURL != "" || d.cfg.publicURL == "" {
		return nil, nil
	}
	added, err := d.client.In(bitrix24.Background).Bind(ctx, d.cfg.publicURL+callbackPath)
	lost := make([]string, len(added))
	for i, event := range added {
		lost[i] = string(event)
	}
	return lost, err
}

// Installed implements consumers.Desk.
func (d *desk) Installed(ctx context.Context) (bool, error) {
	if d.own.Portal.WebhookURL != "" {
		return true, nil
	}
	if _, err := d.client.Read(ctx, "app.info", nil); err != nil {
		return false, err
	}
	return true, nil
}

// Pass implements consumers.Desk. It publishes a summary when the run has ended.
func (d *desk) Pass(ctx context.Context, run leads.Run) error {
	run, err := reconcile.Run(ctx, reconcile.Config{
		Portal: &scanner{desk: d, client: d.client.In(bitrix24.Background)},
		Mirror: d.db, Ledger: d.db, Witness: witness{d.base, d.own.Portal.MemberID}, Turn: d.own.Turn, Grace: d.cfg.grace, Young: d.cfg.young, Report: d.report, Wake: d.wake,
		Now: func() time.Time { return time.Now().UTC() }, Log: d.log,
	}, run)
	if !run.Finished() {
		return err
	}
	d.log.InfoContext(ctx, "pass ended", "member_id", run.MemberID, "run", run.ID, "mode", run.Mode, "state", run.State,
		"scanned", run.Scanned, "found", run.Found(), "repaired", run.Repaired(), "requests", run.Requests)
	return errors.Join(err, d.silence(ctx, run), events.PublishRun(ctx, d.js, run), d.db.TouchLeadList(ctx, time.Now()))
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
	return s.client.Scan(ctx, after, s.draw)
}

// Changed implements reconcile.Portal.
func (s *scanner) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	return s.client.Changed(ctx, after, since, s.draw)
}

// IDs implements reconcile.Portal.
func (s *scanner) IDs(ctx context.Context, after int64) (leads.Page, error) {
	return s.client.IDs(ctx, after, s.draw)
}

func (s *scanner) draw() leads.Ticket { return inTurn(s.desk.own.Turn, s.desk.own.Tickets) }

// Leads implements reconcile.Portal; it is called within a turn.
func (s *scanner) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return s.client.Leads(ctx, ids, s.desk.own.Tickets.Draw)
}

// Requests implements reconcile.Portal.
func (s *scanner) Requests() int64 { return s.client.Requests() }

// Refused implements reconcile.Portal.
func (s *scanner) Refused() int64 { return s.client.Refused() }

func inTurn(turn *sync.Mutex, tickets *leads.Tickets) leads.Ticket {
	turn.Lock()
	defer turn.Unlock()
	return tickets.Draw()
}
