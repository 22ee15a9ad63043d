package service

import (
	"context"
	"fmt"
	"io"

	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/owner"
)

// RemovedPortal is a portal that was erased.
type RemovedPortal struct {
	Leads   int64  `json:"leads"`
	Removed string `json:"removed"` // its member_id
	domain  string
}

// WriteText says so.
func (r RemovedPortal) WriteText(out io.Writer) error {
	_, err := fmt.Fprintf(out, "portal %s (%s) is erased, with %s\n", r.Removed, r.domain, leads.Amount(r.Leads, "lead"))
	return err
}

// RemovePortal stops the owner of the portal of that name, unbinds its events where that is possible, and
// erases everything. Unless somebody is sure, it only says what would be lost.
func (b *Backend) RemovePortal(ctx context.Context, name string, sure bool, wait *Waiting) (RemovedPortal, error) {
	portal, err := FindPortal(ctx, b.DB, name)
	if err != nil {
		return RemovedPortal{}, err
	}
	count, err := b.DB.CountLeads(ctx, portal.MemberID)
	if err != nil {
		return RemovedPortal{}, err
	}
	if !sure {
		return RemovedPortal{}, UsageError{fmt.Errorf("portal %s (%s) and its %s would be erased here for good, in the database and on the topic; add --yes to do it",
			portal.MemberID, portal.Domain, leads.Amount(count, "lead"))}
	}
	wait.Begin("Removing the portal: first leadsync ends its work on it, which may take a minute")
	if err := b.DB.SetPortalState(ctx, portal.MemberID, leads.PortalUninstalled); err != nil {
		return RemovedPortal{}, err
	}
	if err := b.erase(ctx, portal); err != nil {
		return RemovedPortal{}, err
	}
	if portal.WebhookURL != "" && portal.WebhookURL == b.Config.WebhookURL {
		b.Log.WarnContext(ctx, "the removed portal is the one of LEADSYNC_B24_WEBHOOK_URL: it comes back unless you remove that setting")
	}
	return RemovedPortal{count, portal.MemberID, portal.Domain}, nil
}

// erase erases a portal that is marked as uninstalled, when its owner has left it.
func (b *Backend) erase(ctx context.Context, portal leads.Portal) error {
	cfg := b.OwnerConfig(&consumers.Stats{}, func() {})
	return owner.Remove(ctx, cfg, portal, func(ctx context.Context) error { return b.DB.ErasePortal(ctx, portal.MemberID) })
}
