package portals

import (
	"fmt"
	"slices"
	"strings"

	"leadsync/leads"
)

// AllowList names the portals that may be served, by member id or domain. Empty allows the
// first portal that comes, "any" allows every portal.
type AllowList []string

// portal tells whether a portal is on the list.
func (a AllowList) portal(memberID, domain string) bool {
	return slices.Contains(a, "any") || a.names(memberID) || a.names(domain)
}

// names tells whether a member id or a domain is on the list, in any spelling of it.
func (a AllowList) names(portal string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return strings.EqualFold(plainHost(name), plainHost(portal)) })
}

// plainHost is a host without the port that https has anyway, and without the dot of a full name.
func plainHost(name string) string { return strings.TrimSuffix(strings.TrimSuffix(name, ":443"), ".") }

// mayConnect tells whether a host that is neither known nor named may log in, while so
// many portals are known; nil where it may. Its member id, which may be on the list, is not
// known before the log-in.
func (a AllowList) mayConnect(host string, portals int) error {
	switch {
	case len(a) == 0 && portals > 0:
		return fmt.Errorf("%w: %s would be a second portal; name it in LEADSYNC_B24_PORTALS, or add it by `leadsync portals add`", errRefused, host)
	case len(a) > 0 && !slices.ContainsFunc(a, func(name string) bool { return name == "any" || leads.ValidMemberID(name) }):
		return fmt.Errorf("%w: %s is not in LEADSYNC_B24_PORTALS", errRefused, host)
	case !publicName(host):
		return fmt.Errorf("%w: %s is not the name of a host on the internet", errRefused, host)
	}
	return nil
}

// publicName tells whether a host could be a portal's: a name with a dot; not an address,
// no port, no name that only a local network knows.
func publicName(host string) bool {
	labels := strings.Split(host, ".")
	top := labels[len(labels)-1]
	if len(host) > 253 || len(labels) < 2 || len(top) < 2 || strings.Trim(top, "0123456789") == "" ||
		slices.Contains([]string{"local", "localhost", "internal", "lan", "home", "corp", "intranet", "test", "invalid", "example", "onion"}, top) {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
