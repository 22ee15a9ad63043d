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
