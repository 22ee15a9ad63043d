package portals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// verifyLimit is how long the authorization server may take to confirm an access token.
const verifyLimit = 5 * time.Second

// authority asks Bitrix24's authorization servers, as the application that a portal uses.
type authority struct {
	oauth *bitrix24.OAuth // the application of the settings
	store Store
}

// confirm asks whose access token it is: it must be the portal's and our application's.
// The server's answer, not the callback, says where the portal is.
func (a authority) confirm(ctx context.Context, server string, token leads.Secret, memberID string) (bitrix24.Installation, error) {
	info, err := a.oauth.AppInfo(ctx, server, token)
	if err != nil {
		return info, fmt.Errorf("verify the installation: %w", err)
	}
	switch leads.CanonicalMemberID(info.MemberID) {
	case memberID:
	case "":
		return info, fmt.Errorf("%w: the authorization server knows no portal with its token; the application was removed, or installed anew, meanwhile", errRefused)
	default:
		return info, fmt.Errorf("%w: its token belongs to another portal", errRefused)
	}
	own, err := a.as(ctx, memberID)
	if err != nil {
		return info, err
	}
	if own.ClientID != "" && info.ClientID != own.ClientID {
		return info, fmt.Errorf("%w: it belongs to application %s, not to the one in LEADSYNC_B24_CLIENT_ID or the portal's own; if that "+
			"one was deleted in Bitrix24 and this is the new one, set both variables to its values (or `leadsync portals add --member-id %s "+
			"--client-id …`) and save its form again", errRefused, info.ClientID, memberID)
	}
	info.ClientEndpoint, err = a.oauth.Trust.Endpoint(info.ClientEndpoint)
	return info, err
}

// exchange turns the code of a redirect into the tokens of its portal, under its member id in
// lower case.
func (a authority) exchange(ctx context.Context, back Redirect) (bitrix24.Pair, error) {
	memberID := leads.CanonicalMemberID(back.MemberID)
	own, err := a.as(ctx, memberID)
	if err != nil {
		return bitrix24.Pair{}, err
	}
	pair, err := own.Exchange(ctx, back.Server, back.Code)
	if err != nil {
		return pair, err
	}
	pair.MemberID = leads.CanonicalMemberID(pair.MemberID)
	if pair.MemberID != memberID || !leads.ValidMemberID(memberID) {
		return pair, fmt.Errorf("%w: the tokens belong to another portal", errRefused)
	}
	pair.ClientEndpoint, err = a.oauth.Trust.Endpoint(pair.ClientEndpoint)
	return pair, err
}

// as is the portal's own application, where it has one.
func (a authority) as(ctx context.Context, memberID string) (*bitrix24.OAuth, error) {
	portal, _, err := a.store.Portal(ctx, memberID)
	if err != nil {
		return nil, err
	}
	return a.oauth.As(portal.ClientID, portal.ClientSecret), nil
}

// address is the portal's at a host: https, except for an emulator.
func (a authority) address(host string) (string, error) {
	if endpoint, err := a.oauth.Trust.Endpoint("http://" + host); err == nil {
		return endpoint, nil
	}
	return a.oauth.Trust.Endpoint("https://" + host)
}

// refuses tells an answer of an authorization server that settles the matter from one that
// may be another in a minute. What stands before the server refuses without a code: a proxy's page,
// with whatever status.
func refuses(err error) bool {
	if errors.Is(err, errRefused) || errors.Is(err, bitrix24.ErrUntrusted) || errors.Is(err, leads.ErrUnauthorized) {
		return true
	}
	e, ok := errors.AsType[*bitrix24.Error](err)
	return ok && e.Code != "" && (e.Reaction == bitrix24.Never || e.Reaction == bitrix24.Refresh || e.Reaction == bitrix24.NoAccess || e.Reaction == bitrix24.NotFound)
}
