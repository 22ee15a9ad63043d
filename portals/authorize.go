package portals

import (
	"context"
	"fmt"
	"net/url"

	"leadsync/events"
	"leadsync/leads"
)

// authorization is a verified pair of tokens and what is known of its portal.
type authorization struct {
	grant          leads.Grant
	clientEndpoint string
	serverEndpoint string
	tokenHash      string // "" where the application_token did not come with the tokens
	event          events.PortalEvent
}

// admit stores a verified authorization of a portal that may be served, and notifies the
// portal's owner.
func (r *Registry) admit(ctx context.Context, a authorization) error {
	server, err := r.cfg.OAuth.Trust.AuthServer(a.serverEndpoint)
	if err != nil {
		return err
	}
	host, err := url.Parse(a.clientEndpoint)
	if err != nil {
		return fmt.Errorf("%w: the portal's address is not a URL", errRefused)
	}
	onlyFirst, err := r.admission.checkAllowed(ctx, a.grant.MemberID, host.Host)
	if err != nil {
		return err
	}
	portal := leads.Portal{
		MemberID: a.grant.MemberID, Domain: host.Host, State: leads.PortalActive, ClientEndpoint: a.clientEndpoint,
		ServerEndpoint: server + "/rest/", TokenHash: a.tokenHash, UpdatedAt: r.cfg.Now().UTC(),
	}
	if !a.grant.System {
		portal.UserID = a.grant.UserID
	}
	stored, known, err := r.cfg.Store.Portal(ctx, portal.MemberID)
	if err == nil && known {
		err = r.authority.mayReplace(ctx, stored, a)
	}
	if err != nil {
		return err
	}
	admitted, err := r.cfg.Store.Authorize(ctx, portal, a.grant, onlyFirst)
	if err != nil {
		return err
	}
	if !admitted {
		return secondPortal(portal.MemberID, portal.Domain)
	}
	r.rememberToken(ctx, portal)
	r.cfg.Log.InfoContext(ctx, "portal authorized", "member_id", portal.MemberID, "domain", portal.Domain, "by", a.event)
	r.warnOfExpiry(ctx, stored, portal)
	return r.notifyOwner(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, Scope: a.grant.Scope, ServerDomain: hostOf(server),
		UserID: portal.UserID, At: portal.UpdatedAt, Event: a.event,
	})
}

// rememberToken makes the next callback read the portal again, and keeps the hash of its
// new token for the time that the database is down.
func (r *Registry) rememberToken(ctx context.Context, portal leads.Portal) {
	r.known.forget(portal.MemberID)
	if portal.TokenHash == "" {
		return
	}
	r.rememberHash(ctx, portal.MemberID, portal.TokenHash)
}

// warnOfExpiry says at once what would else be noticed in an hour: without an application
// nobody can renew the tokens.
func (r *Registry) warnOfExpiry(ctx context.Context, stored, portal leads.Portal) {
	if own := r.cfg.OAuth.As(stored.ClientID, stored.ClientSecret); own.ClientID == "" || own.ClientSecret == "" {
		r.cfg.Log.WarnContext(ctx, "LEADSYNC_B24_CLIENT_ID or LEADSYNC_B24_CLIENT_SECRET is missing: the tokens of this portal expire in an hour and cannot be renewed; "+
			"set both to what Bitrix24 shows in the application's form, and restart", "member_id", portal.MemberID, "domain", portal.Domain)
	}
}
