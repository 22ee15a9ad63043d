package portals

import (
	"context"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// checkPause is how long a portal's callbacks are not checked after one whose access token
// was checked: anybody can post them, and each check costs a request.
const checkPause = time.Second

// throttle lets one check run at a time, and one per portal and pause.
type throttle struct {
	mu   sync.Mutex
	next map[string]time.Time // by member_id: when the next check may begin
	busy bool
}

// begin tells whether a callback of the portal may be checked now.
func (t *throttle) begin(memberID string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy || now.Before(t.next[memberID]) {
		return false
	}
	if t.next == nil {
		t.next = map[string]time.Time{}
	}
	t.busy, t.next[memberID] = true, now.Add(checkPause)
	return true
}

func (t *throttle) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = false
}

// learnToken finds out the application_token of a portal that was authorized by the OAuth
// redirect alone, which does not bring it (docs/bitrix24.md 1.3). It takes the token of the
// first callback whose access token the authorization server confirms as that portal's and
// our application's. It returns Accepted, WrongToken for a callback that is refused there,
// and TokenNotLearnt where nothing is proved.
func (r *Registry) learnToken(ctx context.Context, portal *leads.Portal, cb bitrix24.Callback) Reason {
	if cb.AccessToken == "" || !r.checks.begin(portal.MemberID, r.cfg.Now()) {
		return TokenNotLearnt
	}
	defer r.checks.end()
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	// The server is the portal's own, not the callback's.
	if _, err := r.authority.confirm(ctx, portal.ServerEndpoint, cb.AccessToken, portal.MemberID); err != nil {
		r.cfg.Log.WarnContext(ctx, "callback not verified, the application_token of the portal stays unknown", "member_id", portal.MemberID, "error", err)
		if refuses(err) {
			return WrongToken
		}
		return TokenNotLearnt
	}
	hash := leads.HashToken(cb.ApplicationToken)
	stored, err := r.cfg.Store.LearnToken(ctx, portal.MemberID, hash)
	if err != nil {
		r.cfg.Log.ErrorContext(ctx, "application_token not stored", "member_id", portal.MemberID, "error", err)
		return TokenNotLearnt
	}
	r.known.forget(portal.MemberID)
	if stored {
		portal.TokenHash = hash
		r.cfg.Log.InfoContext(ctx, "application_token learnt from a verified callback", "member_id", portal.MemberID, "event", string(cb.Event))
		return Accepted
	}
	*portal, _, err = r.cfg.Store.Portal(ctx, portal.MemberID) // another replica was faster, with this token or another
	switch {
	case err != nil:
		return TokenNotLearnt
	case portal.RecognisesHash(hash):
		return Accepted
	}
	return WrongToken
}
