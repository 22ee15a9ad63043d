package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// verifyLimit is how long the authorization server may take to confirm an installation.
const verifyLimit = 5 * time.Second

// errForged says that an installation is not what it claims to be, or not wanted.
var errForged = errors.New("installation refused")

// install verifies an installation with the authorization server and stores its tokens,
// all inside the request: anybody can post one, and it is not repeated.
func (s *Server) install(c echo.Context, cb bitrix24.Callback) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), verifyLimit)
	defer cancel()
	err := s.takeInstall(ctx, cb)
	switch {
	case err == nil:
		s.Stats.Received.Add(1)
		return c.NoContent(http.StatusOK)
	case errors.Is(err, errForged), errors.Is(err, bitrix24.ErrUntrusted), errors.Is(err, leads.ErrUnauthorized):
		s.Log.WarnContext(ctx, "installation refused", "member_id", cb.MemberID, "error", err)
		return s.refuse(c, http.StatusForbidden, RefusedInstall)
	default:
		s.Log.ErrorContext(ctx, "installation failed; save the application's form in Bitrix24 again", "member_id", cb.MemberID, "error", err)
		return s.refuse(c, http.StatusServiceUnavailable, RefusedIll)
	}
}

func (s *Server) takeInstall(ctx context.Context, cb bitrix24.Callback) error {
	if cb.AccessToken == "" || cb.RefreshToken == "" || cb.ApplicationToken == "" {
		return s.takeUpdate(ctx, cb)
	}
	info, err := s.verify(ctx, cb.ServerEndpoint, cb.AccessToken, cb.MemberID)
	if err != nil {
		return err
	}
	grant := leads.Grant{
		MemberID: cb.MemberID, AccessToken: cb.AccessToken, RefreshToken: cb.RefreshToken,
		ExpiresAt: s.Now().Add(time.Duration(cb.ExpiresIn) * time.Second), Scope: cb.Scope,
		UserID: info.UserID, ClientID: info.ClientID, System: cb.Event == bitrix24.UserReady,
	}
	return s.authorize(ctx, authorization{
		grant: grant, clientEndpoint: info.ClientEndpoint, serverEndpoint: cb.ServerEndpoint,
		tokenHash: leads.HashToken(cb.ApplicationToken), event: string(cb.Event),
	})
}

// takeUpdate is for an installation or an update that no user caused, and so brings no
// tokens (docs/bitrix24.md 1.9). Of a portal that is known it is believed on the word of its
// application_token; there is nothing to store, but events may have to be bound again.
func (s *Server) takeUpdate(ctx context.Context, cb bitrix24.Callback) error {
	portal, known, err := s.Portals.Portal(ctx, cb.MemberID)
	if err != nil {
		return err
	}
	if !known || !portal.Recognises(cb.ApplicationToken) || cb.Event == bitrix24.UserReady {
		return fmt.Errorf("%w: it came without tokens", errForged)
	}
	return s.tell(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, UserID: portal.UserID, At: s.Now().UTC(), Event: events.PortalEvent(cb.Event),
	})
}

// verify asks the authorization server whose access token it is. Its answer, not the
// callback, says where the portal is.
func (s *Server) verify(ctx context.Context, server string, token leads.Secret, memberID string) (bitrix24.Installation, error) {
	info, err := s.OAuth.AppInfo(ctx, server, token)
	if err != nil {
		return info, fmt.Errorf("verify the installation: %w", err)
	}
	if info.MemberID != memberID {
		return info, fmt.Errorf("%w: its token belongs to another portal", errForged)
	}
	own, err := s.oauthOf(ctx, memberID)
	if err != nil {
		return info, err
	}
	if own.ClientID != "" && info.ClientID != own.ClientID {
		return info, fmt.Errorf("%w: it is of another application (%s) than LEADSYNC_B24_CLIENT_ID names, or the portal's own; if that "+
			"one was deleted in Bitrix24 and this is the new one, set both variables to its values (or `leadsync portals add --member-id %s "+
			"--client-id …`) and save its form again", errForged, info.ClientID, memberID)
	}
	if info.ClientEndpoint, err = s.OAuth.Trust.Endpoint(info.ClientEndpoint); err != nil {
		return info, err
	}
	return info, nil
}

// oauthOf is the conversation as the portal's own application, where it has one.
func (s *Server) oauthOf(ctx context.Context, memberID string) (*bitrix24.OAuth, error) {
	portal, _, err := s.Portals.Portal(ctx, memberID)
	if err != nil {
		return nil, err
	}
	return s.OAuth.As(portal.ClientID, portal.ClientSecret), nil
}

// authorization is a verified way into a portal.
type authorization struct {
	grant          leads.Grant
	clientEndpoint string
	serverEndpoint string
	tokenHash      string // "" where the way in does not show the application_token
	event          string
}

// authorize stores a verified authorization and tells the portal's owner.
func (s *Server) authorize(ctx context.Context, a authorization) error {
	server, err := s.OAuth.Trust.AuthServer(a.serverEndpoint)
	if err != nil {
		return err
	}
	host, err := url.Parse(a.clientEndpoint)
	if err != nil {
		return fmt.Errorf("%w: the portal's address is none", errForged)
	}
	onlyFirst, err := s.allow(ctx, a.grant.MemberID, host.Host)
	if err != nil {
		return err
	}
	portal := leads.Portal{
		MemberID: a.grant.MemberID, Domain: host.Host, State: leads.PortalActive, ClientEndpoint: a.clientEndpoint,
		ServerEndpoint: server + "/rest/", TokenHash: a.tokenHash, UpdatedAt: s.Now().UTC(),
	}
	if !a.grant.System {
		portal.UserID = a.grant.UserID
	}
	admitted, err := s.Portals.Authorize(ctx, portal, a.grant, onlyFirst)
	if err != nil {
		return err
	}
	if !admitted {
		return fmt.Errorf("%w: portal %s (%s) is a second one; name both in LEADSYNC_B24_PORTALS to serve it too, or add it by `leadsync portals add`",
			errForged, portal.MemberID, portal.Domain)
	}
	s.known.forget(portal.MemberID)
	if a.tokenHash != "" {
		if err := s.Tokens.remember(portal.MemberID, a.tokenHash); err != nil {
			s.Log.WarnContext(ctx, "callbacks of this portal will not be told from forgeries while the database is down", "member_id", portal.MemberID, "error", err)
		}
	}
	s.Log.InfoContext(ctx, "portal authorized", "member_id", portal.MemberID, "domain", portal.Domain, "by", a.event)
	return s.tell(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, Scope: a.grant.Scope, ServerDomain: hostOf(server),
		UserID: portal.UserID, At: portal.UpdatedAt, Event: events.PortalEvent(a.event),
	})
}

// allow lets in what the list names, and portals that are known: an operator may have
// added them. Without a list the first portal may come too; who is first the database
// decides.
func (s *Server) allow(ctx context.Context, memberID, domain string) (onlyFirst bool, err error) {
	if slices.Contains(s.Allowed, "any") || slices.Contains(s.Allowed, memberID) || slices.Contains(s.Allowed, domain) {
		return false, nil
	}
	if len(s.Allowed) == 0 {
		return true, nil
	}
	_, known, err := s.Portals.Portal(ctx, memberID)
	if err == nil && !known {
		err = fmt.Errorf("%w: portal %s (%s) is not in LEADSYNC_B24_PORTALS", errForged, memberID, domain)
	}
	return false, err
}

// tell stores a portal's notice for its owner.
func (s *Server) tell(ctx context.Context, n events.PortalNotice) error {
	entry, err := events.PortalEntry(n)
	if err != nil {
		return err
	}
	return s.Store(ctx, entry)
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}
