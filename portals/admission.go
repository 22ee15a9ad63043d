package portals

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// Anybody can post an installation, and each costs requests to the authorization server:
// at most so many for a portal, and in all.
var (
	installsOfOne = allowance{burst: 5, pause: 20 * time.Second}
	installsInAll = allowance{burst: 30, pause: 2 * time.Second}
)

// admission decides which portals may install and log in: those on the list, those that are
// known, and without a list the first one.
type admission struct {
	allowed  AllowList
	store    Store
	oauth    *bitrix24.OAuth // the application of the settings
	installs *bound          // installations that cost requests
	now      func() time.Time
}

// applicationFor is the application that logs in at a host, and whether the host is known
// or named in the settings. It is errRefused where the host may not be served.
func (a admission) applicationFor(ctx context.Context, domain string) (oauth *bitrix24.OAuth, known bool, err error) {
	portals, err := a.store.Portals(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, p := range portals {
		if strings.EqualFold(p.Domain, domain) {
			return a.oauth.As(p.ClientID, p.ClientSecret), true, nil
		}
	}
	if a.allowed.names(domain) || slices.Contains(a.oauth.Trust.Insecure, domain) {
		return a.oauth, true, nil
	}
	return a.oauth, false, a.allowed.mayConnect(domain, len(portals))
}

// mayAsk tells whether an installation may cost requests to the authorization server. One
// with the portal's own application_token comes from Bitrix24 and always may.
func (a admission) mayAsk(ctx context.Context, cb bitrix24.Callback, portal leads.Portal, known bool) error {
	if known && portal.Recognises(cb.ApplicationToken) {
		return nil
	}
	if _, err := a.oauth.Trust.AuthServer(cb.ServerEndpoint); err != nil {
		return err
	}
	if !known && len(a.allowed) == 0 {
		others, err := a.store.Portals(ctx)
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return secondPortal(cb.MemberID, cb.Domain)
		}
	}
	if !a.installs.allow(cb.MemberID, a.now()) {
		return errTooMany
	}
	return nil
}

// checkAllowed refuses portals that are neither on the list nor known: an operator may
// have added them. Without a list the first portal is allowed; the database decides which
// one is first.
func (a admission) checkAllowed(ctx context.Context, memberID, domain string) (onlyFirst bool, err error) {
	if a.allowed.portal(memberID, domain) {
		return false, nil
	}
	if len(a.allowed) == 0 {
		return true, nil
	}
	_, known, err := a.store.Portal(ctx, memberID)
	if err == nil && !known {
		err = fmt.Errorf("%w: portal %s (%s) is not in LEADSYNC_B24_PORTALS", errRefused, memberID, domain)
	}
	return false, err
}

// secondPortal refuses a portal beside the one that is served.
func secondPortal(memberID, domain string) error {
	return fmt.Errorf("%w: portal %s (%q) would be a second portal; name both in LEADSYNC_B24_PORTALS to serve it too, or add it by `leadsync portals add`",
		errRefused, memberID, domain)
}
