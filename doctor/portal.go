package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/guide"
	"leadsync/leads"
	"leadsync/repo"
)

// Store is what the checks of portals read.
type Store interface {
	Portals(ctx context.Context) ([]leads.Portal, error)
	Standing(ctx context.Context, memberID string) (leads.Standing, bool, error)
	Grants(ctx context.Context, memberID string) ([]leads.Grant, error)
}

// Portals is how the checks of portals ask.
type Portals struct {
	Store       Store
	CallbackURL string // where Bitrix24 is to send events; "" where it cannot
	PublicURL   string
	Trust       bitrix24.Trust // which addresses may be called
	Now         func() time.Time
	// Call calls a method of a portal, with a token where there is one.
	Call func(ctx context.Context, p leads.Portal, token leads.Secret, method string) (json.RawMessage, error)
	// Client asks the authorization server for tokens with the client id and secret that the portal's
	// tokens are refreshed with, and with a refresh token that does not exist, so that none is spent.
	Client func(ctx context.Context, p leads.Portal) error
}

// ErrNoClient is what Portals.Client returns where there is no client id, so that no server was asked.
var ErrNoClient = errors.New("no client id is set")

// servedWithin is how long ago an owner must have noted that it serves a portal.
const servedWithin = time.Minute

// loginSoon is how long before the end of a log-in somebody should look.
const loginSoon = 20 * 24 * time.Hour

// boundLong is how long ago the owner of a portal may have looked which events are bound: it looks
// every hour.
const boundLong = 2 * time.Hour

// atOnce is how many portals are examined at the same time.
const atOnce = 4

// CheckPortals looks at each portal: state, owner, tokens, permissions, administrator, plan,
// bound events, the offline queue.
func CheckPortals(p Portals) Check { return portalsCheck{p} }

// portalsCheck gives each portal the time of a check, so that one that does not answer takes none
// from the others.
type portalsCheck struct{ p Portals }

func (portalsCheck) Name() string { return "portals" }

func (c portalsCheck) Look(ctx context.Context) (found []Finding) {
	portals, err := c.list(ctx)
	if err != nil {
		return []Finding{unreadable(unknown("which there are").because(err), err)}
	}
	if len(portals) == 0 {
		return []Finding{warning(guide.NoPortal, "none is connected yet", "nothing is mirrored", "install the application in Bitrix24, or run leadsync portals add --webhook")}
	}
	each := make([][]Finding, len(portals))
	var looking sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i, portal := range portals {
		free <- struct{}{}
		looking.Go(func() { each[i] = c.p.limited(ctx, portal); <-free })
	}
	looking.Wait()
	return slices.Concat(each...)
}

func (c portalsCheck) list(ctx context.Context) (portals []leads.Portal, err error) {
	err = ask(ctx, theDatabase, limit, func(ctx context.Context) (err error) {
		portals, err = c.p.Store.Portals(ctx)
		return err
	})
	return portals, err
}

// limited looks at a portal for no longer than the limit.
func (p Portals) limited(ctx context.Context, portal leads.Portal) []Finding {
	found := []Finding{unknown("not looked at: " + stopped)}
	if ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		found = p.one(ctx, portal)
	}
	for i := range found {
		found[i].Found = portal.Domain + ": " + found[i].Found
	}
	return found
}

func (p Portals) one(ctx context.Context, portal leads.Portal) []Finding {
	switch portal.State { //nolint:exhaustive // an active one is examined below
	case leads.PortalNeedsAuthorization:
		return []Finding{fault(guide.Authorization, "it does not accept leadsync any more", "its leads are not mirrored", portal.Remedy(p.PublicURL))}
	case leads.PortalUninstalled:
		return []Finding{ok("the application was removed there; leadsync portals remove erases what is left")}
	}
	var standing leads.Standing
	err := Ask(ctx, theDatabase, func(ctx context.Context) (err error) {
		standing, _, err = p.Store.Standing(ctx, portal.MemberID)
		return err
	})
	if err != nil {
		return []Finding{unknown("what its owner has noted").because(err)}
	}
	found := []Finding{p.served(standing)}
	if portal.WebhookURL != "" {
		return append(found, p.webhook(ctx, portal)...)
	}
	found = append(append(found, p.untrusted(portal)...), p.bound(standing)...)
	return append(append(found, p.client(ctx, portal)), p.rights(ctx, portal)...)
}

// untrusted names the stored addresses of a portal that the settings do not let leadsync call any more.
func (p Portals) untrusted(portal leads.Portal) (found []Finding) {
	const means = "leadsync sends no tokens there, so the portal is not served"
	_, leadsErr := p.Trust.Endpoint(portal.ClientEndpoint)
	_, authErr := p.Trust.AuthServer(portal.ServerEndpoint)
	for _, address := range []struct {
		what, stored string
		err          error
	}{{"its address is not trusted", portal.ClientEndpoint, leadsErr}, {"its authorization server is not trusted", portal.ServerEndpoint, authErr}} {
		if address.err == nil {
			continue
		}
		u, err := url.Parse(address.stored)
		switch {
		case err != nil || u.Host == "":
			found = append(found, fault(guide.PortalDown, address.what+": what is stored is no address", means, portal.Remedy(p.PublicURL)))
		case u.Scheme != "https":
			found = append(found, fault(guide.PortalDown, address.what+": it is plain http at "+u.Host, means,
				fmt.Sprintf("add %s to LEADSYNC_B24_INSECURE_HOSTS if it is an emulator and restart; else %s", u.Host, portal.Remedy(p.PublicURL))))
		default:
			found = append(found, fault(guide.PortalDown, address.what+": it is not Bitrix24's but "+u.Host, means,
				fmt.Sprintf("add %s to LEADSYNC_B24_AUTH_HOSTS if Bitrix24's documentation names it, and restart", u.Host)))
		}
	}
	return found
}

// notTrusted is said of what is not asked for that.
const notTrusted = "not asked, because the address is not trusted"

// current tells whether a leadsync process serves the portal now, so that what it has noted is true.
func (p Portals) current(s leads.Standing) bool {
	return !s.BeatAt.IsZero() && p.Now().Sub(s.BeatAt) <= servedWithin
}

func (p Portals) served(s leads.Standing) Finding {
	switch {
	case s.BeatAt.IsZero():
		return warning(guide.Unserved, "no leadsync process has served it yet", "nothing is mirrored until one does", "start leadsync serve")
	case !p.current(s):
		words := "no leadsync process has served it since " + moment(s.BeatAt)
		if s.Problem != "" {
			words += "; its problem then: " + s.Problem
		}
		return warning(guide.Unserved, words, "nothing is mirrored until one does", "start leadsync serve")
	case s.Problem != "":
		return fault(guide.PortalDown, s.Problem, "its leads may be shown wrong", "")
	}
	return ok("served, without a problem")
}

func moment(at time.Time) string { return at.Format("2006-01-02 15:04 -07:00") }

// rightClient is what is asked of the authorization server.
const rightClient = "whether client id and secret are right"

// client looks whether the tokens can be refreshed.
func (p Portals) client(ctx context.Context, portal leads.Portal) Finding {
	err := Ask(ctx, "the authorization server", func(ctx context.Context) error { return p.Client(ctx, portal) })
	const means = "the tokens cannot be refreshed: the connection ends within the hour"
	const do = "set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET as Bitrix24 shows them in the application's form, or run leadsync portals add --client-id for an application of the portal's own; then restart"
	var refusal *bitrix24.Error
	switch {
	case errors.Is(err, ErrNoClient):
		return fault(guide.Client, "no client id is set", means, do)
	case errors.Is(err, bitrix24.ErrUntrusted):
		return unknown(rightClient + ": " + notTrusted)
	case err == nil:
		return unknown(rightClient + ": the authorization server gives tokens for a refresh token that it never issued")
	case !errors.As(err, &refusal):
		return unknown(rightClient).because(err)
	}
	switch strings.ToUpper(refusal.Code) {
	case "INVALID_GRANT": // it knows the client, and not the token
		return ok("client id and secret are right")
	case "WRONG_CLIENT", "INVALID_CLIENT", "INVALID_REQUEST":
		return fault(guide.Client, "the authorization server refuses client id and secret: "+refusal.Code, means, do)
	}
	return unknown(rightClient).because(refusal)
}

// bound looks which events the portal sends to us, as its owner has seen it last.
func (p Portals) bound(s leads.Standing) []Finding {
	switch {
	case s.BoundAt.IsZero():
		return []Finding{unknown("which events are bound: no owner has looked yet")}
	case !p.current(s) || p.Now().Sub(s.BoundAt) > boundLong:
		return []Finding{unknown("which events are bound: no leadsync process has looked since " + moment(s.BoundAt))}
	case p.CallbackURL == "":
		return []Finding{fault(guide.Bindings, "no events are bound to leadsync: LEADSYNC_PUBLIC_URL is not set", "no callbacks come", "set LEADSYNC_PUBLIC_URL, restart, then run leadsync portals rebind")}
	}
	var missing []string
	offline := false
	for _, event := range bitrix24.Bound {
		if !slices.Contains(s.Bound, string(event)+" "+p.CallbackURL) {
			missing = append(missing, string(event))
		}
	}
	for _, line := range s.Bound {
		offline = offline || strings.HasSuffix(line, " offline")
	}
	found := []Finding{ok("all events are bound")}
	if len(missing) > 0 {
		found[0] = fault(guide.Bindings, "not bound to "+p.CallbackURL+": "+strings.Join(missing, ", "), "no callbacks come for them", "run leadsync portals rebind; if the address has changed, check LEADSYNC_PUBLIC_URL")
	}
	if offline {
		return append(found, ok("the offline queue is used"))
	}
	return append(found, unknown("no offline queue is bound yet: that takes up to a minute after the installation, and some plans have none; without it what callbacks miss is found by passes alone"))
}

// unasked are what a portal is asked with its tokens.
const unasked = "permissions, administrator and plan: not asked, because "

// rights asks the portal what the tokens may do. It refreshes none: that is its owner's.
func (p Portals) rights(ctx context.Context, portal leads.Portal) (found []Finding) {
	var grants []leads.Grant
	err := Ask(ctx, theDatabase, func(ctx context.Context) (err error) {
		grants, err = p.Store.Grants(ctx, portal.MemberID)
		return err
	})
	switch {
	case silent(err):
		return []Finding{unknown("permissions, administrator and plan: not asked").because(err)}
	case err != nil && ctx.Err() != nil, errors.Is(err, leads.ErrUnavailable):
		return []Finding{unknown(unasked + "the database did not give the tokens").because(err)}
	case err != nil:
		f := fault(guide.Authorization, "its tokens cannot be read", "the tokens cannot be used", portal.Remedy(p.PublicURL)).because(err)
		return []Finding{unreadable(f, err), unknown(unasked + "the tokens cannot be read")}
	case len(grants) == 0:
		return []Finding{fault(guide.Authorization, "there are no tokens", "its leads cannot be read", portal.Remedy(p.PublicURL)), unknown(unasked + "there are no tokens")}
	}
	grant := grants[0]
	ends := grant.DiesAt()
	switch left := ends.Sub(p.Now()); {
	case left <= 0:
		return []Finding{fault(guide.Authorization, "its log-in ended on "+ends.Format(time.DateOnly), "its leads cannot be read", portal.Remedy(p.PublicURL)), unknown(unasked + "the log-in has ended")}
	case left < loginSoon:
		found = append(found, warning(guide.Authorization, "its log-in ends on "+ends.Format(time.DateOnly), "then an administrator has to log in again", "have the service run: it refreshes the tokens"))
	}
	if !grant.ExpiresAt.After(p.Now()) {
		return append(found, unknown(unasked+"the access token has expired, and the running service alone refreshes it"))
	}
	scope := p.scope(ctx, portal, grant.AccessToken)
	if found = append(found, scope); scope.Level == Unknown { // it would not answer the rest either
		return append(found, unknown("administrator and plan: not asked"))
	}
	return append(found, p.administrator(ctx, portal, grant.AccessToken), p.plan(ctx, portal, grant.AccessToken))
}

// unreadable is a finding of a stored secret that could not be read: it is the settings' fault where the key is another.
func unreadable(f Finding, err error) Finding {
	if advised, ok := errors.AsType[repo.AdvisedError](err); ok && errors.Is(err, leads.ErrMisconfigured) {
		f.Level, f.Do, f.See = Fault, advised.Advice, guide.Key.String()
	}
	return f
}

// call calls a method of the portal.
func (p Portals) call(ctx context.Context, portal leads.Portal, token leads.Secret, method string) (answer json.RawMessage, err error) {
	err = Ask(ctx, "the portal", func(ctx context.Context) (err error) {
		answer, err = p.Call(ctx, portal, token, method)
		return err
	})
	return answer, err
}

func (p Portals) scope(ctx context.Context, portal leads.Portal, token leads.Secret) Finding {
	answer, err := p.call(ctx, portal, token, "scope")
	switch {
	case silent(err) || err != nil && ctx.Err() != nil:
		return unknown("which permissions it has given").because(err)
	case errors.Is(err, bitrix24.ErrUntrusted):
		return unknown("which permissions it has given: " + notTrusted)
	case errors.Is(err, leads.ErrPortalRefuses):
		return fault(guide.PortalDown, "it refuses all calls", "its leads cannot be read", "").because(err)
	case err != nil:
		return fault(guide.PortalDown, "it does not answer", "its leads cannot be read", "open the portal in a browser; can this machine reach it?").because(err)
	}
	if !strings.Contains(strings.ToLower(string(answer)), `"crm"`) {
		return fault(guide.Permission, "the permission CRM is missing", "its leads cannot be read", "tick CRM in the application's form in Bitrix24, save it, and log in again")
	}
	return ok("it answers, and has given the permission CRM")
}

func (p Portals) administrator(ctx context.Context, portal leads.Portal, token leads.Secret) Finding {
	answer, err := p.call(ctx, portal, token, "user.admin")
	if err != nil {
		return unknown("whether the tokens are an administrator's").because(err)
	}
	if !slices.Contains([]string{"true", "y", "1"}, strings.ToLower(strings.Trim(string(answer), `" `))) {
		return fault(guide.Permission, "the tokens are not an administrator's", "leadsync sees only the leads of that user, and may take others for deleted", portal.Remedy(p.PublicURL))
	}
	return ok("the tokens are an administrator's")
}

func (p Portals) plan(ctx context.Context, portal leads.Portal, token leads.Secret) Finding {
	var info struct {
		License string `json:"LICENSE"`
		Family  string `json:"LICENSE_FAMILY"`
	}
	answer, err := p.call(ctx, portal, token, "app.info")
	if err == nil {
		err = json.Unmarshal(answer, &info)
	}
	if err != nil {
		return unknown("its plan").because(err)
	}
	return ok(fmt.Sprintf("plan %s, so leadsync's limits are those of %s", info.License, bitrix24.PlanOf(info.Family).Name))
}

// webhook asks whether the inbound webhook may read leads.
func (p Portals) webhook(ctx context.Context, portal leads.Portal) []Finding {
	if portal.TokenHash == "" {
		return []Finding{fault(guide.Refused, "no token of an outgoing webhook is known", "callbacks cannot be told from forgeries and are refused", "set LEADSYNC_B24_APPLICATION_TOKEN")}
	}
	return append([]Finding{p.scope(ctx, portal, "")}, unknown("plan, events and administrator: a webhook may not ask; check in Bitrix24 that the outgoing webhook has the events of leads, and that an administrator made the inbound one"))
}
