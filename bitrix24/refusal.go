package bitrix24

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"leadsync/leads"
)

// A portal may refuse every call for the same reason: then no lead is to blame. This file
// decides which refusals mean that, and says in words what a person has to do.

// refusals finds out for a client whether its portal refuses everything, and opens and closes
// the client's breaker accordingly.
type refusals struct{ client *Client }

func (c *Client) refusals() refusals { return refusals{client: c} }

// Probe asks a portal that refused everything whether it still does, if the time for that has
// come. Every call does so by itself; a portal that nobody calls needs Probe. The error is
// leads.ErrPortalRefuses while the portal refuses, or the context's.
func (c *Client) Probe(ctx context.Context) error {
	problem, probe := c.shared.breaker.admit()
	switch {
	case problem == nil:
		return nil
	case !probe:
		return problem
	}
	e, err := c.refusals().ask(ctx, problem.Method)
	if ctx.Err() != nil {
		c.shared.breaker.abandoned()
		return ctx.Err()
	}
	return c.shared.breaker.probed(c.refusals().stillRefuses(problem, e, err))
}

// stillRefuses is the problem after a probe that the portal refused with e, or that ended with
// err; nil if the portal no longer refuses everything. Without an answer the problem stays
// what it was.
func (r refusals) stillRefuses(problem, e *Error, err error) *Error {
	switch {
	case err != nil && ReactionTo(err) == Reauthorize && r.client.cfg.Tokens != nil:
		return nil // the portal answers again; the tokens are another problem
	case err != nil:
		return problem
	case e == nil, e.Code == "" && !sameReason(e, problem) && e.Reaction == Never:
		return nil
	case mayConcernAll(e):
		return r.advise(e)
	default:
		return problem
	}
}

// universal are the methods that need no permission of their own: a portal that refuses
// one of them refuses everything.
var universal = map[string]bool{"batch": true, "server.time": true}

// concernsAll reports whether the portal refused a whole call for a reason that holds for
// all others, too.
func (r refusals) concernsAll(e *Error) bool {
	switch e.Reaction {
	case Stop:
		return true
	case Refresh, Reauthorize:
		return r.client.cfg.Tokens == nil // otherwise the tokens are the problem, and their source says so
	case Never, NoAccess, NotFound:
		return universal[e.Method] || strings.HasPrefix(e.Method, "crm.lead.") && e.Code == codeScope
	default:
		return false
	}
}

// mayConcernAll reports whether the refusal of a command of a batch may be one of everything;
// a harmless command then shows whether it is.
func mayConcernAll(e *Error) bool {
	switch e.Reaction {
	case Never, Stop, Reauthorize, Refresh:
		return true
	case NoAccess:
		return e.Method == "crm.lead.list" // a list leaves out what may not be read (docs/bitrix24.md 6.5.6)
	default:
		return false
	}
}

// alike returns the refusal of the first command if all commands were refused for the same
// reason, and that may be the portal's; nil otherwise.
func (b Batch) alike(commands []Command) *Error {
	first := b.Errors[commands[0].Key]
	if first == nil || !mayConcernAll(first) {
		return nil
	}
	for _, cmd := range commands {
		if e := b.Errors[cmd.Key]; e == nil || !sameReason(e, first) {
			return nil
		}
	}
	return first
}

// sameReason compares codes; refusals without one are told apart by their text.
func sameReason(a, b *Error) bool {
	return a.Code == b.Code && (a.Code != "" || a.Description == b.Description)
}

// The keys of harmless commands.
const (
	askKey  = "ask"
	listKey = "list"
)

// harmless are commands that have nothing to do with any lead, the first of that method. A
// portal that does not refuse everything answers "Not found", or an empty list. How it says
// the former is not certain, so the list comes with it.
func harmless(method string) []Command {
	list := Command{Key: listKey, Method: "crm.lead.list", Query: url.Values{"filter[ID]": {"0"}, "select[0]": {"ID"}, "start": {"-1"}}}
	if method == list.Method {
		list.Key = askKey
		return []Command{list}
	}
	return []Command{{Key: askKey, Method: "crm.lead.get", Query: url.Values{"id": {strconv.Itoa(leads.MaxID)}}}, list}
}

// ask sends harmless commands and returns with what the portal refuses them; nil if it does
// not: a refusal of crm.lead.get in other words than "Not found" is not one of everything
// while leads can be listed. The error says that there was no answer.
func (r refusals) ask(ctx context.Context, method string) (*Error, error) {
	commands := harmless(method)
	b, err := r.client.batch(ctx, commands, manner{probe: true})
	if err != nil {
		return nil, err
	}
	switch e, method := b.Errors[askKey], commands[0].Method; {
	case e == nil && method == "crm.lead.list":
		if _, err := phpList(b.Results[askKey]); err != nil {
			return garbled(method, http.StatusOK, "the answer is not a list"), nil
		}
		return nil, nil
	case e == nil, e.Reaction == NotFound, e.Reaction == NoAccess && !mayConcernAll(e):
		return nil, nil
	case mayConcernAll(e) && b.lists(listKey):
		return nil, nil
	default:
		return e, nil
	}
}

// lists reports whether a command of crm.lead.list was answered with a list.
func (b Batch) lists(key string) bool {
	_, err := phpList(b.Results[key])
	return b.Errors[key] == nil && err == nil
}

// confirm asks whether the refusal of a command is one of everything. Its error says so, or
// that the portal is failing; nil means that the leads which the commands name are to blame.
func (r refusals) confirm(ctx context.Context, refusal *Error) error {
	e, err := r.ask(ctx, refusal.Method)
	switch {
	case err != nil:
		return r.judge(ctx, "batch", err)
	case e == nil:
		return nil
	case sameReason(e, refusal) || e.Code != "" && mayConcernAll(e):
		return r.client.shared.breaker.open(r.advise(e))
	case e.Reaction == Repeat || e.Reaction == SlowDown:
		return e
	default:
		return nil
	}
}

// ofToken finds out whether the refusal of all commands of a batch is one of the token: what
// the commands name could be the reason, too. A harmless batch then gets the token refreshed,
// or another pair of tokens used, as any call does. The error is what the batch has to react
// to; nil if it stands as it is.
func (r refusals) ofToken(ctx context.Context, refusal *Error, token leads.Secret, probe bool) error {
	tokens := r.client.cfg.Tokens
	switch {
	case tokens == nil:
		return nil // see confirm
	case probe:
		return refusal
	}
	if _, err := r.ask(ctx, refusal.Method); err != nil {
		return err
	}
	current, err := tokens.Token(ctx)
	if err != nil || current != token {
		return cmp.Or[error](err, refusal) // it is sent again, with the new token
	}
	return nil // the same token is good enough for others
}

// judge opens the breaker if an error of a call to that method means that the portal refuses
// everything. An authorization server's errors have other methods. What stands before the
// portal may refuse one batch for what is in it: then a harmless one is answered.
func (r refusals) judge(ctx context.Context, method string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Method != method || e.Advice != "" || !r.concernsAll(e) {
		return err
	}
	if method == "batch" && e.Code == "" && e.Reaction == Never {
		if refusal, failure := r.ask(ctx, "crm.lead.get"); failure == nil && refusal == nil {
			halvable := *e
			halvable.Reaction = Repeat
			return &halvable
		}
	}
	return r.client.shared.breaker.open(r.advise(e))
}

// advise returns the error of a portal that refuses everything.
func (r refusals) advise(e *Error) *Error {
	changed := *e
	host := hostIn(r.client.shared.currentEndpoint().Reveal())
	changed.Advice = "portal " + host + " refuses every call: " + strings.ReplaceAll(r.words(e), "HOST", host)
	return &changed
}

// words say what is wrong and who changes it where; HOST stands for the portal.
func (r refusals) words(e *Error) string {
	w, known := refusalAdvice[e.Code]
	switch {
	case e.Code != codeOverload && e.Reaction == Stop && namesTariff(e.Description):
		w = refusalAdvice["PAYMENT_REQUIRED"]
	case known:
	case e.Code == "" && e.Reaction == Stop:
		return e.Description // of ours, see follow
	case e.Reaction == Reauthorize, e.Reaction == Refresh:
		w = refusalAdvice["NO_AUTH_FOUND"]
	case e.Reaction == NoAccess, e.Code == "ACCESS_DENIED":
		w = refusalAdvice["ACCESS_ERROR"]
	case e.Code == "":
		return "its server answers with something else than Bitrix24; check that the address is right, and what stands between leadsync and HOST"
	default:
		return "the reason " + e.Code + " is not one that leadsync knows; an administrator of the portal has to find it in Bitrix24, or ask Bitrix24's support"
	}
	if r.client.cfg.Tokens == nil {
		return cmp.Or(w.webhook, w.application)
	}
	return w.application
}

// advice is what to do about one code; webhook is "" where it is the same.
type advice struct{ application, webhook string }

const (
	codeScope    = "INSUFFICIENT_SCOPE"
	codeOverload = "OVERLOAD_LIMIT"
)

// refusalAdvice names, by code, the pages in Bitrix24 where a person changes what is wrong.
// Source of the codes: docs/bitrix24.md 3.4.
var refusalAdvice = map[string]advice{
	codeScope: {
		application: "the application lacks the permission (scope) CRM; in Bitrix24 open Developer resources, Integrations, tick CRM in the application and save, then authorize it again on leadsync's page /bitrix24/oauth/start?domain=HOST",
		webhook:     "the inbound webhook lacks the permission (scope) CRM; in Bitrix24 open Developer resources, Integrations, tick CRM in the inbound webhook and save",
	},
	"PAYMENT_REQUIRED": {
		application: "the portal's plan (tariff) has ended or does not include the REST API; an administrator has to renew or change the plan in Bitrix24 under Subscription",
	},
	codeOverload: {
		application: "Bitrix24 has blocked the portal's REST API because of overload; ask Bitrix24's support to unblock it",
	},
	"PORTAL_DELETED": {
		application: "Bitrix24 says that the portal was deleted; if that is wrong, ask Bitrix24's support",
	},
	"ERROR_METHOD_NOT_FOUND": {
		application: "it does not know the method; in Bitrix24 check that CRM is switched on, and that the application has the permission (scope) CRM",
		webhook:     "it does not know the method; in Bitrix24 check that CRM is switched on, and that the inbound webhook has the permission (scope) CRM",
	},
	"NO_AUTH_FOUND": {
		application: "it does not accept the authorization of the application's user; an administrator has to open leadsync's page /bitrix24/oauth/start?domain=HOST",
		webhook:     "it does not accept the inbound webhook: it was deleted, has expired, or its user was dismissed; an administrator has to create an inbound webhook with the permission CRM in Bitrix24 under Developer resources, and set LEADSYNC_B24_WEBHOOK_URL to its address",
	},
	"ACCESS_ERROR": {
		application: "the application's user may not read leads; an administrator has to give the user's role the right to read all leads in Bitrix24 under CRM, Settings, Access permissions",
		webhook:     "the user of the inbound webhook may not read leads; an administrator has to give the user's role the right to read all leads in Bitrix24 under CRM, Settings, Access permissions",
	},
	"ALLOWED_ONLY_INTRANET_USER": {
		application: "the application's user is not an employee of the portal; an administrator has to open leadsync's page /bitrix24/oauth/start?domain=HOST",
		webhook:     "the user of the inbound webhook is not an employee of the portal; an administrator has to create the inbound webhook",
	},
	"METHOD_CONFIRM_WAITING": {
		application: "an administrator has to allow the application's request, which waits in Bitrix24's notifications",
		webhook:     "an administrator has to allow the inbound webhook's request, which waits in Bitrix24's notifications",
	},
	"METHOD_CONFIRM_DENIED": {
		application: "an administrator has denied the application's request; it has to be allowed in Bitrix24",
		webhook:     "an administrator has denied the inbound webhook's request; it has to be allowed in Bitrix24",
	},
	"INVALID_REQUEST": {
		application: "it wants another form of request, such as https instead of http; check the address of the portal",
		webhook:     "it wants another form of request, such as https instead of http; check LEADSYNC_B24_WEBHOOK_URL",
	},
	"WRONG_AUTH_TYPE": {
		application: "it does not allow this kind of authorization; check in Bitrix24 under Developer resources what the application may do",
		webhook:     "it does not allow calls by an inbound webhook; check in Bitrix24 under Developer resources what the webhook may do",
	},
}
