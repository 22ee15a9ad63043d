package portals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// errRefused says that an installation is not what it claims to be, or not wanted.
var errRefused = errors.New("installation refused")

// Install verifies an installation or an update with the authorization server and stores
// its tokens. It does so before it returns, because anybody can post an installation and
// Bitrix24 does not repeat one.
func (r *Registry) Install(ctx context.Context, cb bitrix24.Callback) Decision {
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	install := r.installByTokens
	if cb.AccessToken == "" || cb.RefreshToken == "" || cb.ApplicationToken == "" {
		install = r.installWithoutTokens
	}
	err := install(ctx, cb)
	switch {
	case err == nil:
		return Decision{Verified: true}
	case errors.Is(err, errRefused), errors.Is(err, bitrix24.ErrUntrusted), errors.Is(err, leads.ErrUnauthorized):
		r.cfg.Log.WarnContext(ctx, "installation refused", "member_id", cb.MemberID, "error", err)
		return Decision{Reason: NotVerified, Err: err}
	default:
		r.cfg.Log.ErrorContext(ctx, "installation failed; save the application's form in Bitrix24 again", "member_id", cb.MemberID, "error", err)
		return Decision{Reason: Unavailable, Err: err}
	}
}

func (r *Registry) installByTokens(ctx context.Context, cb bitrix24.Callback) error {
	info, err := r.authority.confirm(ctx, cb.ServerEndpoint, cb.AccessToken, cb.MemberID)
	if err != nil {
		return err
	}
	return r.admit(ctx, authorization{
		grant: leads.Grant{
			MemberID: cb.MemberID, AccessToken: cb.AccessToken, RefreshToken: cb.RefreshToken,
			ExpiresAt: r.cfg.Now().Add(time.Duration(cb.ExpiresIn) * time.Second), Scope: cb.Scope,
			UserID: info.UserID, ClientID: info.ClientID, System: cb.Event == bitrix24.UserReady,
		},
		clientEndpoint: info.ClientEndpoint, serverEndpoint: cb.ServerEndpoint,
		tokenHash: leads.HashToken(cb.ApplicationToken), event: events.PortalEvent(cb.Event),
	})
}

// installWithoutTokens takes an installation or an update that no user caused, and so
// brings no tokens (docs/bitrix24.md 1.9). The application_token of a known portal proves
// it. There is nothing to store, but the owner may have to bind events again.
func (r *Registry) installWithoutTokens(ctx context.Context, cb bitrix24.Callback) error {
	portal, known, err := r.cfg.Store.Portal(ctx, cb.MemberID)
	if err != nil {
		return err
	}
	if !known || !portal.Recognises(cb.ApplicationToken) || cb.Event == bitrix24.UserReady {
		return fmt.Errorf("%w: it came without tokens", errRefused)
	}
	return r.notifyOwner(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, UserID: portal.UserID, At: r.cfg.Now().UTC(), Event: events.PortalEvent(cb.Event),
	})
}
