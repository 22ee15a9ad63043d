package portals

import (
	"context"
	"errors"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
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
	// be served.
	Known bool
}

// Destination tells whether somebody may log in at a host: a portal that is known or named
// in the settings, or a public host name where another portal may still be connected.
func (r *Registry) Destination(ctx context.Context, domain string) (Destination, Decision) {
	domain = strings.ToLower(strings.TrimSpace(domain))
	endpoint, err := r.authority.address(domain)
	if err != nil || strings.ContainsAny(domain, "/?#@\\") {
		return Destination{}, Decision{Reason: BadDomain, Err: err}
	}
	waiting, cancel := context.WithTimeout(ctx, verifyLimit)
	r.started(waiting)
	cancel()
	oauth, known, err := r.admission.applicationFor(ctx, domain)
	switch {
	case errors.Is(err, errRefused):
		return Destination{}, Decision{Reason: NotServed, Domain: domain, Err: err}
	case err != nil:
		r.cfg.Log.ErrorContext(ctx, "log-in not started, the database does not answer", "error", err)
		return Destination{}, Decision{Reason: r.sinceTheStart(Unavailable), Err: err}
	case oauth.ClientID == "" || oauth.ClientSecret == "":
		return Destination{}, Decision{Reason: NoApplication, Domain: domain}
	}
	return Destination{Domain: domain, Endpoint: endpoint, ClientID: oauth.ClientID, Known: known}, Decision{Domain: domain}
}

// Redirect is what a portal's log-in sends back with the browser. Whoever calls Authorize
// has checked that the log-in was started here.
type Redirect struct {
	Server   string // server_domain: the authorization server
	MemberID string
	Code     string
}

// Authorize exchanges the code of a log-in for tokens and stores them. It keeps the tokens
// of a lesser user out where others work.
func (r *Registry) Authorize(ctx context.Context, back Redirect) Decision {
	ctx, cancel := context.WithTimeout(ctx, loginLimit)
	defer cancel()
	r.started(ctx)
	var pair bitrix24.Pair
	err := errNoCode
	if back.Code != "" {
		pair, err = r.authority.exchange(ctx, back)
	}
	if err == nil {
		err = r.admit(ctx, authorization{
			grant: pair.Grant, clientEndpoint: pair.ClientEndpoint, serverEndpoint: back.Server, event: events.Authorized,
		})
	}
	if err != nil {
		r.cfg.Log.WarnContext(ctx, "authorization failed", "error", err)
		return Decision{Reason: r.sinceTheStart(loginReason(err)), MemberID: leads.CanonicalMemberID(back.MemberID), Err: err}
	}
	return Decision{Domain: hostOf(pair.ClientEndpoint), Verified: true}
}

// errNoCode says that the browser came back without a code: a portal, or somebody at its page,
// refused the log-in.
var errNoCode = errors.New("the portal sent the browser back without a code")

func loginReason(err error) Reason {
	var refusal *bitrix24.Error
	switch {
	case errors.Is(err, errNotAdministrator):
		return NotAdministrator
	case errors.Is(err, errRefused):
		return NotServed
	case errors.Is(err, bitrix24.ErrUntrusted):
		return UntrustedServer
	case errors.Is(err, errNoCode), errors.As(err, &refusal) && refusal.Code == "INVALID_GRANT":
		return CodeExpired
	case errors.As(err, &refusal) && (refusal.Code == "WRONG_CLIENT" || refusal.Code == "INVALID_CLIENT"):
		return WrongApplication
	case errors.Is(err, leads.ErrUnavailable): // the database; Bitrix24 has answered, or was not asked
		return Unavailable
	}
	return LoginFailed
}
