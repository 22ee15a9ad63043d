package portals

import (
	"cmp"
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

// errTooMany says that too many installations came that nobody has confirmed.
var errTooMany = errors.New("too many installations that are not confirmed")

// errNotKept says that an installation is genuine and could not be stored.
var errNotKept = errors.New("the installation is genuine, but not stored")

// Install verifies an installation or an update with the authorization server and stores
// its tokens. It does so before it returns, because anybody can post an installation and
// Bitrix24 does not repeat one. Callbacks of the same portal are kept meanwhile.
func (r *Registry) Install(ctx context.Context, cb bitrix24.Callback) Decision {
	cb.MemberID = leads.CanonicalMemberID(cb.MemberID)
	defer r.verifying.begin(cb.MemberID)()
	ctx, cancel := context.WithTimeout(ctx, verifyLimit)
	defer cancel()
	install := r.installByTokens
	if cb.AccessToken == "" || cb.RefreshToken == "" || cb.ApplicationToken == "" {
		install = r.installWithoutTokens
	}
	r.started(ctx)
	portal, known, err := r.cfg.Store.Portal(ctx, cb.MemberID)
	d := Decision{MemberID: cb.MemberID, Known: known, Domain: cmp.Or(portal.Domain, cb.Domain)}
	if err == nil {
		err = install(ctx, cb, portal, known)
	}
	d.Reason, d.Err = r.sinceTheStart(installReason(err)), err
	d.Verified = d.Reason == Accepted
	if errors.Is(err, errNotKept) {
		r.cfg.Log.ErrorContext(ctx, "installation lost; save the application's form in Bitrix24 again", "member_id", cb.MemberID, "error", err)
	}
	return d
}

// started waits until the database is ready: an installation or a log-in that comes while
// the service starts is not repeated. Where that takes too long, the look-up says so.
func (r *Registry) started(ctx context.Context) {
	if r.cfg.Started == nil {
		return
	}
	select {
	case <-r.cfg.Started:
	case <-ctx.Done():
	}
}

// sinceTheStart tells what is not ready yet from what has failed: the first passes by itself.
func (r *Registry) sinceTheStart(reason Reason) Reason {
	if reason != Unavailable || r.cfg.Started == nil {
		return reason
	}
	select {
	case <-r.cfg.Started:
		return reason
	default:
		return Starting
	}
}

func installReason(err error) Reason {
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, errNotAdministrator):
		return NotAdministrator
	case errors.Is(err, errTooMany):
		return TooMany
	case refuses(err):
		return NotVerified
	}
	return Unavailable
}

func (r *Registry) installByTokens(ctx context.Context, cb bitrix24.Callback, portal leads.Portal, known bool) error {
	if err := r.admission.mayAsk(ctx, cb, portal, known); err != nil {
		return err
	}
	info, err := r.authority.confirm(ctx, cb.ServerEndpoint, cb.AccessToken, cb.MemberID)
	if err != nil {
		return err
	}
	err = r.admit(ctx, authorization{
		grant: leads.Grant{
			MemberID: cb.MemberID, AccessToken: cb.AccessToken, RefreshToken: cb.RefreshToken,
			ExpiresAt: r.cfg.Now().Add(time.Duration(cb.ExpiresIn) * time.Second), Scope: cb.Scope,
			UserID: info.UserID, ClientID: info.ClientID, System: cb.Event == bitrix24.UserReady,
		},
		clientEndpoint: info.ClientEndpoint, serverEndpoint: cb.ServerEndpoint,
		tokenHash: leads.HashToken(cb.ApplicationToken), event: events.PortalEvent(cb.Event),
	})
	if err != nil && installReason(err) == Unavailable {
		err = fmt.Errorf("%w: %w", errNotKept, err)
	}
	return err
}

// installWithoutTokens takes an installation or an update that no user caused, and so
// brings no tokens (docs/bitrix24.md 1.9). The application_token of a known portal proves
// it. There is nothing to store, but the owner may have to bind events again.
func (r *Registry) installWithoutTokens(ctx context.Context, cb bitrix24.Callback, portal leads.Portal, known bool) error {
	if !known || !portal.Recognises(cb.ApplicationToken) || cb.Event == bitrix24.UserReady {
		return fmt.Errorf("%w: it came without tokens", errRefused)
	}
	return r.notifyOwner(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, UserID: portal.UserID, At: r.cfg.Now().UTC(), Event: events.PortalEvent(cb.Event),
	})
}
