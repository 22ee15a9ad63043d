package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/doctor"
	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/leads"
)

// portalDesk is what the pages know and do of portals.
type portalDesk struct {
	b      *Backend
	jobs   *jobs
	counts *caches[int64] // of leads, by portal

	mu       sync.Mutex
	removing map[string]bool // by member_id
	address  kept[[]console.Check]
}

// Reports implements console.Portals.
func (d *portalDesk) Reports(ctx context.Context) ([]console.Portal, error) {
	portals, err := d.b.DB.Portals(ctx)
	if err != nil {
		return nil, err
	}
	var reports []console.Portal
	for _, p := range portals {
		r, err := reportWithoutCounts(ctx, d.b.DB, p)
		if err != nil {
			return nil, err
		}
		r.Leads, err = d.counts.of(p.MemberID).get(ctx, func(ctx context.Context) (int64, error) { return d.b.DB.CountLeads(ctx, p.MemberID) })
		if err != nil {
			return nil, err
		}
		v, err := d.view(ctx, p, r)
		if err != nil {
			return nil, err
		}
		reports = append(reports, v)
	}
	return reports, nil
}

// view is a portal as pages show it.
func (d *portalDesk) view(ctx context.Context, p leads.Portal, r PortalReport) (console.Portal, error) {
	v := console.Portal{
		MemberID: p.MemberID, Domain: cmp.Or(p.Domain, p.MemberID), State: p.State, Webhook: p.WebhookURL != "", TokenKnown: r.TokenKnown,
		Bound: r.Bound, Owner: r.Owner, Problem: r.Problem, Note: r.Note, Leads: r.Leads, Imported: r.LastPass != nil, Removing: d.isRemoving(p.MemberID),
	}
	if r.BoundAt != nil {
		v.BoundAt = *r.BoundAt
	}
	for _, event := range bitrix24.Bound {
		if !v.Webhook && !slices.Contains(r.Bound, string(event)+" "+d.b.Config.CallbackURL()) {
			v.Unbound = append(v.Unbound, string(event))
		}
	}
	if p.State == leads.PortalNeedsAuthorization {
		v.Remedy = p.Remedy(d.b.Config.PublicURL)
	}
	for _, t := range r.Tokens {
		v.Tokens = append(v.Tokens, console.Tokens{UserID: t.UserID, System: t.SystemUser, AccessEnds: t.ExpiresAt, RefreshEnds: t.Idle})
	}
	if v.Imported {
		return v, nil
	}
	runs, err := d.b.DB.Runs(ctx, p.MemberID, 1)
	if len(runs) > 0 {
		v.Import = &runs[0]
	}
	return v, err
}

func (d *portalDesk) isRemoving(memberID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.removing[memberID]
}

const (
	// addressAge is for how long the public address counts as looked at.
	addressAge = 10 * time.Second
	// addressLimit is shorter than a page may take.
	addressLimit = 5 * time.Second
)

// Connection implements console.Portals.
func (d *portalDesk) Connection(ctx context.Context) console.Connection {
	cfg := d.b.Config
	c := console.Connection{Application: cfg.ClientID != "" && cfg.ClientSecret != ""}
	if portals, err := d.b.DB.Portals(ctx); err == nil {
		c.Open = len(portals) == 0 && len(cfg.Portals) == 0
	}
	c.Address, _ = d.address.get(ctx, addressAge, func(ctx context.Context) (checks []console.Check, _ error) {
		ctx, cancel := context.WithTimeout(ctx, addressLimit)
		defer cancel()
		look := doctor.CheckAddress(doctor.Address{URL: cfg.PublicURL, Resolve: resolve, HTTP: bitrix24.NewHTTP(), Now: cfg.Now})
		for _, f := range doctor.Run(ctx, []doctor.Check{look}) {
			checks = append(checks, checkOf(f))
		}
		return checks, nil
	})
	return c
}

// Invite implements console.Portals.
func (d *portalDesk) Invite(ctx context.Context, i console.Invitation) error {
	portal := leads.Portal{MemberID: leads.CanonicalMemberID(i.MemberID), Domain: i.Domain, State: leads.PortalNeedsAuthorization, ClientID: i.ClientID, ClientSecret: i.ClientSecret}
	endpoint, err := d.b.Config.Trust.Endpoint("https://" + portal.Domain)
	if err != nil || endpoint != "https://"+portal.Domain+"/" {
		return fmt.Errorf("%w: %q is no host name of a portal, such as company.bitrix24.com", console.ErrConflict, portal.Domain)
	}
	known, ok, err := d.b.DB.Portal(ctx, portal.MemberID)
	switch {
	case err != nil:
		return err
	case ok && known.WebhookURL != "":
		return fmt.Errorf("%w: portal %s is connected by webhooks: remove it first", console.ErrConflict, known.Domain)
	case ok && known.Domain != portal.Domain:
		return fmt.Errorf("%w: portal %s is known as %s", console.ErrConflict, known.MemberID, known.Domain)
	case ok && i.ClientID != "":
		return d.b.DB.SetApplication(ctx, known.MemberID, i.ClientID, i.ClientSecret)
	case ok:
		return fmt.Errorf("%w: portal %s may come in already", console.ErrConflict, known.Domain)
	}
	return d.b.DB.SavePortal(ctx, portal)
}

// Remove implements console.Portals: its owner leaves it, its events are unbound, and everything goes.
// What a stop of the service cuts off is done again by asking once more.
func (d *portalDesk) Remove(ctx context.Context, memberID string) error {
	portal, ok, err := d.b.DB.Portal(ctx, memberID)
	switch {
	case err != nil:
		return err
	case !ok:
		return console.ErrNotFound
	case d.b.NATS.Bus() == nil:
		return errNoNATS
	case portal.WebhookURL != "" && portal.WebhookURL == d.b.Config.WebhookURL:
		return fmt.Errorf("%w: portal %s is the one of LEADSYNC_B24_WEBHOOK_URL: remove that setting and restart, else it would come back", console.ErrConflict, portal.Domain)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removing[memberID] {
		return fmt.Errorf("%w: portal %s is being erased", console.ErrConflict, portal.Domain)
	}
	if err := d.b.DB.SetPortalState(ctx, memberID, leads.PortalUninstalled); err != nil {
		return err
	}
	if !d.jobs.start(func(ctx context.Context) { d.erase(ctx, portal) }) {
		return fmt.Errorf("%w: leadsync stops", console.ErrConflict)
	}
	if d.removing == nil {
		d.removing = map[string]bool{}
	}
	d.removing[memberID] = true
	return nil
}

// erase erases a portal that is marked as uninstalled.
func (d *portalDesk) erase(ctx context.Context, portal leads.Portal) {
	err := d.b.erase(ctx, portal)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.removing, portal.MemberID)
	if err != nil {
		d.b.Log.ErrorContext(ctx, "portal is not erased as a whole: remove it once more", "member_id", portal.MemberID, "domain", portal.Domain, "error", err)
		return
	}
	d.b.Log.InfoContext(ctx, "portal erased", "member_id", portal.MemberID, "domain", portal.Domain)
}

// Rebind implements console.Portals.
func (d *portalDesk) Rebind(ctx context.Context, memberID string) error {
	portal, ok, err := d.b.DB.Portal(ctx, memberID)
	switch {
	case err != nil:
		return err
	case !ok || portal.State != leads.PortalActive || portal.WebhookURL != "":
		return fmt.Errorf("%w: leadsync binds no events of portal %s", console.ErrConflict, cmp.Or(portal.Domain, memberID))
	case d.b.NATS.Bus() == nil:
		return errNoNATS
	}
	return d.b.NATS.NotifyOwner(ctx, portal, events.Rebind)
}
