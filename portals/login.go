package portals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// loginLimit is how long the exchange of a code may take; the code lives 30 seconds.
const loginLimit = 20 * time.Second

// Destination is a portal where somebody wants to log in.
type Destination struct {
	Domain   string // host, in lower case
	Endpoint string // its address, with a slash at the end
	ClientID string // the application that asks
	// Known tells a portal that is known or named in the settings from one that only may
	// be served; a person has to confirm the latter.
	Known bool
}

// Destination tells whether somebody may log in at a host: a portal that is known or named
// in the settings, or a public host name where another portal may still be connected.
func (r *Registry) Destination(ctx context.Context, domain string) (Destination, Decision) {
	domain = strings.ToLower(strings.TrimSpace(domain))
	endpoint, err := r.cfg.OAuth.Trust.Endpoint(r.scheme(domain) + domain)
	if err != nil || strings.ContainsAny(domain, "/?#@\\") {
		return Destination{}, Decision{Reason: BadDomain, Err: err}
	}
	oauth, known, err := r.applicationFor(ctx, domain)
	switch {
	case errors.Is(err, errRefused):
		return Destination{}, Decision{Reason: NotServed, Err: err}
	case err != nil:
		r.cfg.Log.ErrorContext(ctx, "log-in not started, the database does not answer", "error", err)
		return Destination{}, Decision{Reason: Unavailable, Err: err}
	case oauth.ClientID == "" || oauth.ClientSecret == "":
		return Destination{}, Decision{Reason: NoApplication}
	}
	return Destination{Domain: domain, Endpoint: endpoint, ClientID: oauth.ClientID, Known: known}, Decision{Domain: domain}
}

// scheme is https, except for an emulator.
func (r *Registry) scheme(host string) string {
	if _, err := r.cfg.OAuth.Trust.Endpoint("http://" + host); err == nil {
		return "http://"
	}
	return "https://"
}

// applicationFor is the application that logs in at a host, and whether the host is known
// or named in the settings. It is errRefused where the host may not be served.
func (r *Registry) applicationFor(ctx context.Context, domain string) (oauth *bitrix24.OAuth, known bool, err error) {
	portals, err := r.cfg.Store.Portals(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, p := range portals {
		if strings.EqualFold(p.Domain, domain) {
			return r.cfg.OAuth.As(p.ClientID, p.ClientSecret), true, nil
		}
	}
	allowed := r.cfg.Allowed
	named := func(host string) bool { return strings.EqualFold(host, domain) }
	switch {
	case slices.ContainsFunc(allowed, named) || slices.Contains(r.cfg.OAuth.Trust.Insecure, domain):
		return r.cfg.OAuth, true, nil
	case len(allowed) == 0 && len(portals) > 0:
		return nil, false, fmt.Errorf("%w: %s would be a second portal; name it in LEADSYNC_B24_PORTALS, or add it by `leadsync portals add`", errRefused, domain)
	case len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a string) bool { return a == "any" || leads.ValidMemberID(a) }):
		return nil, false, fmt.Errorf("%w: %s is not in LEADSYNC_B24_PORTALS", errRefused, domain)
	case !publicName(domain):
		return nil, false, fmt.Errorf("%w: %s is not the name of a host on the internet", errRefused, domain)
	}
	return r.cfg.OAuth, false, nil
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

// Redirect is what a portal's log-in sends back with the browser. Whoever calls Authorize
// has checked that the log-in was started here.
type Redirect struct {
	Server   string // server_domain: the authorization server
	MemberID string
	Code     string
}

// Authorize exchanges the code of a log-in for tokens and stores them.
func (r *Registry) Authorize(ctx context.Context, back Redirect) Decision {
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	domain, err := r.exchange(ctx, back)
	if err != nil {
		r.cfg.Log.WarnContext(ctx, "authorization failed", "error", err)
		return Decision{Reason: loginReason(err), Err: err}
	}
	return Decision{Domain: domain, Verified: true}
}

func (r *Registry) exchange(ctx context.Context, back Redirect) (domain string, err error) {
	oauth, err := r.oauthOf(ctx, back.MemberID)
	if err != nil {
		return "", err
	}
	pair, err := oauth.Exchange(ctx, back.Server, back.Code)
	if err != nil {
		return "", err
	}
	if pair.MemberID != back.MemberID || !leads.ValidMemberID(back.MemberID) {
		return "", fmt.Errorf("%w: the tokens belong to another portal", errRefused)
	}
	endpoint, err := r.cfg.OAuth.Trust.Endpoint(pair.ClientEndpoint)
	if err != nil {
		return "", err
	}
	return hostOf(endpoint), r.admit(ctx, authorization{
		grant: pair.Grant, clientEndpoint: endpoint, serverEndpoint: back.Server, event: "oauth",
	})
}

func loginReason(err error) Reason {
	var refusal *bitrix24.Error
	switch {
	case errors.Is(err, errRefused):
		return NotServed
	case errors.Is(err, bitrix24.ErrUntrusted):
		return UntrustedServer
	case errors.As(err, &refusal) && refusal.Code == "INVALID_GRANT":
		return CodeExpired
	case errors.As(err, &refusal) && (refusal.Code == "WRONG_CLIENT" || refusal.Code == "INVALID_CLIENT"):
		return WrongApplication
	}
	return LoginFailed
}
