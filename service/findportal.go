package service

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"leadsync/leads"
	"leadsync/repo"
)

// FindPortal finds a portal by its member_id or its domain, which may be the address in a browser.
func FindPortal(ctx context.Context, db *repo.DB, name string) (leads.Portal, error) {
	portals, err := db.Portals(ctx)
	if err != nil {
		return leads.Portal{}, err
	}
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		name = u.Host
	}
	for _, p := range portals {
		if strings.EqualFold(p.MemberID, name) || strings.EqualFold(p.Domain, name) {
			return p, nil
		}
	}
	return leads.Portal{}, UsageError{fmt.Errorf("portal %q is not known here; `leadsync portals list` shows those that are", name)}
}

// MemberOf is the member_id of a portal that a flag names by it or by the domain; "" where it
// names none. A member_id is taken as it is.
func MemberOf(ctx context.Context, db *repo.DB, name string) (string, error) {
	if name == "" || leads.ValidMemberID(name) {
		return leads.CanonicalMemberID(name), nil
	}
	portal, err := FindPortal(ctx, db, name)
	return portal.MemberID, err
}
