package handlers

import (
	"context"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// learnPause is how long a portal's callbacks are not looked into after one whose token
// could not be verified: anybody can post them, and each costs a call.
const learnPause = time.Second

// learner finds out the application_token of portals that were authorized by the OAuth
// redirect alone, which does not bring it (docs/bitrix24.md 1.3): from the first callback with an
// access token that the authorization server knows as that portal's and ours.
type learner struct {
	mu   sync.Mutex
	next map[string]time.Time // by member_id: when to try again
	busy bool
}

// begin tells whether a callback of the portal may be looked into now; one at a time.
func (l *learner) begin(memberID string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy || now.Before(l.next[memberID]) {
		return false
	}
	if l.next == nil {
		l.next = map[string]time.Time{}
	}
	l.busy, l.next[memberID] = true, now.Add(learnPause)
	return true
}

func (l *learner) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
}

// learnt tells whether a callback has taught us the portal's application_token, which
// then is the portal's.
func (s *Server) learnt(ctx context.Context, portal *leads.Portal, cb bitrix24.Callback) bool {
	if portal.TokenHash != "" || portal.WebhookURL != "" || cb.AccessToken == "" || cb.ApplicationToken == "" {
		return false
	}
	if !s.learn.begin(portal.MemberID, s.Now()) {
		return false
	}
	defer s.learn.end()
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	// The server is the portal's own, not the callback's.
	if _, err := s.verify(ctx, portal.ServerEndpoint, cb.AccessToken, portal.MemberID); err != nil {
		s.Log.WarnContext(ctx, "a callback cannot be verified; the portal's application_token is not known yet",
			"member_id", portal.MemberID, "error", err)
		return false
	}
	hash := leads.HashToken(cb.ApplicationToken)
	ours, err := s.Portals.LearnToken(ctx, portal.MemberID, hash)
	if err != nil {
		s.Log.ErrorContext(ctx, "application_token cannot be stored", "member_id", portal.MemberID, "error", err)
		return false
	}
	s.known.forget(portal.MemberID)
	if !ours { // another replica was faster, with this one or another
		*portal, _, err = s.Portals.Portal(ctx, portal.MemberID)
		return err == nil && portal.Recognises(cb.ApplicationToken)
	}
	portal.TokenHash = hash
	s.Log.InfoContext(ctx, "application_token learnt from a verified callback", "member_id", portal.MemberID, "event", string(cb.Event))
	return true
}
