package handlers

import (
	"context"
	"crypto/subtle"
	"net/http"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// sender is whose callback it is: genuine, unknown as yet, or refused with a reason.
type sender struct {
	domain   string // of the portal, where it is known
	verified bool
	status   int
	reason   string
}

// recognise finds the portal by member_id and application_token alone: everything else
// in a callback can be invented. While the database is down the hash on disk does; where
// there is none, the callback is to be verified later.
func (s *Server) recognise(ctx context.Context, cb bitrix24.Callback) sender {
	portal, known, err := s.known.portal(ctx, cb.MemberID)
	if known && !portal.Recognises(cb.ApplicationToken) && s.known.outdated(cb.MemberID) {
		portal, known, err = s.known.portal(ctx, cb.MemberID)
	}
	if err == nil && !known && s.isWebhook(leads.HashToken(cb.ApplicationToken)) {
		portal, known, err = s.adopted(ctx, cb.MemberID)
	}
	if err == nil && known && !portal.Recognises(cb.ApplicationToken) && s.reissued(portal, leads.HashToken(cb.ApplicationToken)) {
		portal, known, err = s.adopted(ctx, cb.MemberID)
	}
	switch {
	case err != nil:
		return s.recogniseByHash(ctx, cb, err)
	case !known:
		return sender{status: http.StatusForbidden, reason: RefusedPortal}
	case !portal.Recognises(cb.ApplicationToken) && !s.learnt(ctx, &portal, cb):
		return sender{status: http.StatusForbidden, reason: RefusedToken}
	}
	if err := s.Tokens.remember(portal.MemberID, portal.TokenHash); err != nil {
		s.Log.WarnContext(ctx, "token's hash is not kept", "member_id", portal.MemberID, "error", err)
	}
	return sender{domain: portal.Domain, verified: true}
}

// recogniseByHash is for the time that the database is down.
func (s *Server) recogniseByHash(ctx context.Context, cb bitrix24.Callback, cause error) sender {
	hash, ok := s.Tokens.hash(cb.MemberID)
	s.Stats.Blind.Add(1)
	s.Log.DebugContext(ctx, "portal cannot be looked up", "member_id", cb.MemberID, "hash_known", ok, "error", cause)
	if !ok {
		return sender{}
	}
	portal := leads.Portal{TokenHash: hash}
	if !portal.Recognises(cb.ApplicationToken) {
		return sender{status: http.StatusForbidden, reason: RefusedToken}
	}
	return sender{verified: true}
}

// Verify says whether an entry that was taken while the database was down is genuine. An
// error means that it cannot be said yet.
func (s *Server) Verify(ctx context.Context, e events.Entry) (bool, error) {
	portal, known, err := s.Portals.Portal(ctx, e.MemberID)
	if err == nil && (!known && s.isWebhook(e.TokenHash) || known && !sameHash(portal.TokenHash, e.TokenHash) && s.reissued(portal, e.TokenHash)) {
		portal, known, err = s.adopted(ctx, e.MemberID)
	}
	if err != nil {
		return false, err
	}
	if !known || !sameHash(portal.TokenHash, e.TokenHash) {
		s.Stats.refuse(RefusedLater)
		return false, nil
	}
	return true, nil
}

func sameHash(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
