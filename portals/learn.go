package portals

import (
	"context"
	"fmt"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// verifyLimit is how long the authorization server may take to confirm an access token.
const verifyLimit = 5 * time.Second

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
// our application's. False where the callback proves nothing.
func (r *Registry) learnToken(ctx context.Context, portal *leads.Portal, cb bitrix24.Callback) bool {
	if portal.TokenHash != "" || portal.WebhookURL != "" || cb.AccessToken == "" || cb.ApplicationToken == "" {
		return false
	}
	if !r.checks.begin(portal.MemberID, r.cfg.Now()) {
		return false
	}
	defer r.checks.end()
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	// The server is the portal's own, not the callback's.
	if _, err := r.confirm(ctx, portal.ServerEndpoint, cb.AccessToken, portal.MemberID); err != nil {
		r.cfg.Log.WarnContext(ctx, "callback not verified, the application_token of the portal stays unknown", "member_id", portal.MemberID, "error", err)
		return false
	}
	hash := leads.HashToken(cb.ApplicationToken)
	stored, err := r.cfg.Store.LearnToken(ctx, portal.MemberID, hash)
	if err != nil {
		r.cfg.Log.ErrorContext(ctx, "application_token not stored", "member_id", portal.MemberID, "error", err)
		return false
	}
	r.known.forget(portal.MemberID)
	if !stored { // another replica was faster, with this token or another
		*portal, _, err = r.cfg.Store.Portal(ctx, portal.MemberID)
		return err == nil && portal.RecognisesHash(hash)
	}
	portal.TokenHash = hash
	r.cfg.Log.InfoContext(ctx, "application_token learnt from a verified callback", "member_id", portal.MemberID, "event", string(cb.Event))
	return true
}

// confirm asks the authorization server whose access token it is: it must be the portal's
// and our application's. The server's answer, not the callback, says where the portal is.
func (r *Registry) confirm(ctx context.Context, server string, token leads.Secret, memberID string) (bitrix24.Installation, error) {
	info, err := r.cfg.OAuth.AppInfo(ctx, server, token)
	if err != nil {
		return info, fmt.Errorf("verify the installation: %w", err)
	}
	if info.MemberID != memberID {
		return info, fmt.Errorf("%w: its token belongs to another portal", errRefused)
	}
	own, err := r.oauthOf(ctx, memberID)
	if err != nil {
		return info, err
	}
	if own.ClientID != "" && info.ClientID != own.ClientID {
		return info, fmt.Errorf("%w: it belongs to application %s, not to the one in LEADSYNC_B24_CLIENT_ID or the portal's own; if that "+
			"one was deleted in Bitrix24 and this is the new one, set both variables to its values (or `leadsync portals add --member-id %s "+
			"--client-id …`) and save its form again", errRefused, info.ClientID, memberID)
	}
	info.ClientEndpoint, err = r.cfg.OAuth.Trust.Endpoint(info.ClientEndpoint)
	return info, err
}

// oauthOf talks to the authorization server as the portal's own application, where it has
// one.
func (r *Registry) oauthOf(ctx context.Context, memberID string) (*bitrix24.OAuth, error) {
	portal, _, err := r.cfg.Store.Portal(ctx, memberID)
	if err != nil {
		return nil, err
	}
	return r.cfg.OAuth.As(portal.ClientID, portal.ClientSecret), nil
}
