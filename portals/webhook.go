package handlers

import (
	"context"

	"leadsync/events"
	"leadsync/leads"
)

// isWebhook tells whether a callback of an unknown portal is the configured outgoing
// webhook's first one.
func (s *Server) isWebhook(tokenHash string) bool {
	return s.Webhook != nil && s.Webhook.MemberID == "" && sameHash(s.Webhook.TokenHash, tokenHash)
}

// reissued tells whether a callback proves the configured outgoing webhook's token for a
// portal that is known with another: it was made anew in Bitrix24, and the settings
// follow. The inbound webhook of the settings belongs to it.
func (s *Server) reissued(portal leads.Portal, tokenHash string) bool {
	return portal.WebhookURL != "" && s.Webhook != nil && s.Webhook.MemberID == "" &&
		s.Webhook.Domain == portal.Domain && sameHash(s.Webhook.TokenHash, tokenHash)
}

// WebhookPortal is the configured webhook's portal, by its member id where that is set,
// else the one that is known by a webhook of the same host, or by the same outgoing
// webhook's token. False where that is to be learnt from a callback.
func (s *Server) WebhookPortal(ctx context.Context) (leads.Portal, bool, error) {
	portal := *s.Webhook
	if portal.MemberID != "" {
		return portal, true, nil
	}
	portals, err := s.Portals.Portals(ctx)
	for _, p := range portals {
		if p.WebhookURL != "" && (p.Domain == portal.Domain || sameHash(p.TokenHash, portal.TokenHash)) {
			portal.MemberID = p.MemberID
			return portal, true, nil
		}
	}
	return portal, false, err
}

// adopted makes the portal of the configured webhook known under the member id that its
// first callback brought.
func (s *Server) adopted(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	portal := *s.Webhook
	portal.MemberID = memberID
	if err := s.Adopt(ctx, portal); err != nil {
		return portal, false, err
	}
	return portal, true, nil
}

// Adopt stores a portal that is reached by webhooks and has its leads imported, unless it
// is known already in just this way.
func (s *Server) Adopt(ctx context.Context, portal leads.Portal) error {
	stored, known, err := s.Portals.Portal(ctx, portal.MemberID)
	if err != nil || known && stored.Same(portal) {
		return err
	}
	portal.UpdatedAt = s.Now().UTC()
	if err := s.Portals.SavePortal(ctx, portal); err != nil {
		return err
	}
	s.known.forget(portal.MemberID)
	s.Log.InfoContext(ctx, "portal adopted", "member_id", portal.MemberID, "domain", portal.Domain, "by", "webhook")
	return s.tell(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, At: portal.UpdatedAt, Event: "webhook",
	})
}
