package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

// tellOwner leaves a notice for the portal's owner.
func (b *base) tellOwner(ctx context.Context, portal leads.Portal, event events.PortalEvent) error {
	return events.PublishPortal(ctx, b.js, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, At: b.cfg.now().UTC(), Event: event,
	})
}

func splitPath(u *url.URL) []string { return strings.Split(strings.Trim(u.Path, "/"), "/") }

type portalsRebindCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// rebindLimit is how long an owner may take to bind.
const rebindLimit = 30 * time.Second

// Run has the events bound: by the portal's owner where one is at work, else here.
func (r portalsRebindCmd) Run(ctx context.Context, a *app) (err error) {
	b, err := a.join(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	portal, err := findPortal(ctx, b.db, r.Portal)
	if err != nil {
		return err
	}
	switch {
	case portal.WebhookURL != "":
		return usageError{errors.New("a webhook cannot bind events: make the outgoing webhook in Bitrix24")}
	case portal.State != leads.PortalActive:
		return fmt.Errorf("portal %s is %s", portal.Domain, portal.State)
	}
	before, _, err := b.db.Standing(ctx, portal.MemberID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, rebindLimit)
	defer cancel()
	cfgOwner := b.ownerConfig(&consumers.Stats{}, func() {})
	err = consumers.Own(ctx, cfgOwner, portal, func(ctx context.Context, d consumers.Desk, _ consumers.Ownership) error {
		return d.Bind(ctx)
	})
	if errors.Is(err, events.ErrLeaseHeld) {
		if err = b.tellOwner(ctx, portal, events.Rebind); err == nil {
			err = b.awaitBinding(ctx, portal, before.BoundAt)
		}
	}
	if err != nil {
		return err
	}
	report, err := reportPortal(ctx, b.db, portal)
	if err != nil {
		return err
	}
	if r.JSON {
		return json.NewEncoder(a.stdout).Encode(report)
	}
	return report.print(a.stdout)
}

// awaitBinding returns when the owner has noted what is bound.
func (b *base) awaitBinding(ctx context.Context, portal leads.Portal, before time.Time) error {
	for {
		standing, _, err := b.db.Standing(ctx, portal.MemberID)
		if err == nil && standing.BoundAt.After(before) {
			return nil
		}
		if ctx.Err() != nil || pauseFor(ctx, followEvery) != nil {
			return fmt.Errorf("the owner of portal %s has not bound its events; its log says why", portal.Domain)
		}
	}
}

type portalsRemoveCmd struct {
	Portal string `arg:"" help:"The portal, by its member_id or its domain."`
	Yes    bool   `help:"Really: rows, tokens, runs, notices, dead letters and the topic's messages are erased."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// settle is how long handlers may still believe in a portal that was removed.
const settle = 6 * time.Second

// removeLimit is how long an owner may take to leave a portal.
const removeLimit = time.Minute

// Run stops the portal's owner, unbinds its events where that is possible, and erases.
func (r portalsRemoveCmd) Run(ctx context.Context, a *app) (err error) {
	b, err := a.join(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	portal, err := findPortal(ctx, b.db, r.Portal)
	if err != nil {
		return err
	}
	count, err := b.db.CountLeads(ctx, portal.MemberID)
	if err != nil {
		return err
	}
	if !r.Yes {
		return usageError{fmt.Errorf("portal %s (%s) and its %d leads would be erased here for good, in the database and on the topic; add --yes to do it",
			portal.MemberID, portal.Domain, count)}
	}
	if err := b.removePortal(ctx, portal); err != nil {
		return err
	}
	if portal.WebhookURL != "" && portal.WebhookURL == b.cfg.webhookURL {
		b.log.WarnContext(ctx, "the removed portal is the one of LEADSYNC_B24_WEBHOOK_URL: it comes back unless that is taken away")
	}
	if r.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"removed": portal.MemberID, "leads": count})
	}
	_, err = fmt.Fprintf(a.stdout, "portal %s (%s) and its %d leads are erased\n", portal.MemberID, portal.Domain, count)
	return err
}

// removePortal erases a portal as its last owner.
func (b *base) removePortal(ctx context.Context, portal leads.Portal) error {
	if err := b.db.SetPortalState(ctx, portal.MemberID, leads.PortalUninstalled); err != nil {
		return err
	}
	cfg := b.ownerConfig(&consumers.Stats{}, func() {})
	open := cfg.Open
	cfg.Open = func(own consumers.Ownership) (consumers.Desk, error) {
		d, err := open(own)
		if err != nil { // it cannot be spoken to; it can be forgotten
			b.log.WarnContext(ctx, "events cannot be unbound", "member_id", portal.MemberID, "error", err)
			return &desk{base: b, own: own}, nil
		}
		return d, nil
	}
	limited, cancel := context.WithTimeout(ctx, removeLimit)
	defer cancel()
	for {
		err := consumers.Own(limited, cfg, portal, func(ctx context.Context, d consumers.Desk, _ consumers.Ownership) error {
			return b.erase(ctx, portal, d)
		})
		if !errors.Is(err, events.ErrLeaseHeld) {
			return err
		}
		if pauseFor(limited, events.LeaseLife/5) != nil {
			return fmt.Errorf("portal %s has an owner that does not leave it: %w", portal.Domain, err)
		}
	}
}

// erase takes away what is kept, and once more what came while it did.
func (b *base) erase(ctx context.Context, portal leads.Portal, d consumers.Desk) error {
	if d, ok := d.(*desk); ok && d.chain != nil && b.cfg.publicURL != "" {
		unbind, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := d.client.Unbind(unbind, b.cfg.publicURL+callbackPath); err != nil {
			b.log.WarnContext(ctx, "events are not unbound; the portal's callbacks will be refused", "member_id", portal.MemberID, "error", err)
		}
		cancel()
	}
	if err := b.db.ErasePortal(ctx, portal.MemberID); err != nil {
		return err
	}
	if err := events.ForgetPortal(ctx, b.js, portal.MemberID); err != nil {
		return err
	}
	if err := pauseFor(ctx, settle); err != nil {
		return err
	}
	return events.ForgetPortal(ctx, b.js, portal.MemberID)
}
