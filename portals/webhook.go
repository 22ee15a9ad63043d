package portals

import (
	"context"
	"slices"
	"strings"

	"leadsync/events"
	"leadsync/leads"
)

// Adopt stores the portal of the configured webhook, so that its leads are imported. It
// does nothing where no webhook is configured. Without a member id, and with a portal that
// is not known yet, it leaves that to the first callback with the webhook's token.
func (r *Registry) Adopt(ctx context.Context) error {
	if r.cfg.Webhook == nil {
		return nil
	}
	memberID, err := r.webhookMember(ctx)
	if err != nil {
		return err
	}
	if memberID == "" {
		r.cfg.Log.InfoContext(ctx, "member id of the webhook's portal unknown, waiting for the first callback of the outgoing webhook or for LEADSYNC_B24_MEMBER_ID")
		return nil
	}
	_, err = r.adoptAs(ctx, memberID)
	return err
}

// webhookMember is the member id of the configured webhook's portal: the configured one,
// else that of the portal that is known by a webhook of the same host or by the same
// outgoing webhook's token; "" where it is unknown.
func (r *Registry) webhookMember(ctx context.Context) (string, error) {
	webhook := r.cfg.Webhook
	if webhook.MemberID != "" {
		return leads.CanonicalMemberID(webhook.MemberID), nil
	}
	portals, err := r.cfg.Store.Portals(ctx)
	for _, p := range portals {
		sameToken := slices.ContainsFunc(strings.Fields(webhook.TokenHash), p.RecognisesHash)
		if p.WebhookURL != "" && (p.Domain == webhook.Domain || sameToken) {
			return p.MemberID, nil
		}
	}
	return "", err
}

// adoptAs stores the portal of the configured webhook under a member id and notifies its
// owner, unless it is stored in just this way.
func (r *Registry) adoptAs(ctx context.Context, memberID string) (leads.Portal, error) {
	portal := *r.cfg.Webhook
	portal.MemberID = memberID
	stored, known, err := r.cfg.Store.Portal(ctx, memberID)
	if err != nil || known && stored.Same(portal) {
		return portal, err
	}
	portal.UpdatedAt = r.cfg.Now().UTC()
	if err := r.cfg.Store.SavePortal(ctx, portal); err != nil {
		return portal, err
	}
	r.known.forget(memberID)
	r.cfg.Log.InfoContext(ctx, "portal adopted", "member_id", memberID, "domain", portal.Domain, "by", events.Adopted)
	return portal, r.notifyOwner(ctx, events.PortalNotice{
		MemberID: memberID, Domain: portal.Domain, At: portal.UpdatedAt, Event: events.Adopted,
	})
}
