package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/handlers/access"
	"leadsync/leads"
)

// Lookup finds leads for the call centre.
type Lookup interface {
	// Callers returns the leads of a number in the form of leads.Phone.Digits, by rank.
	Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error)
	// Card returns one lead, deleted ones included; false where there is no such lead.
	Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error)
	// MirrorStatuses says for each portal how far its mirror can be trusted.
	MirrorStatuses(ctx context.Context) ([]leads.MirrorStatus, error)
}

const (
	// maxCallers is how many leads of a number are returned: more than that share only
	// placeholder numbers.
	maxCallers = 50
	// lookupLimit is how long a look-up may take: an operator or a telephone system waits.
	lookupLimit = 5 * time.Second
	// retryAfter is after how many seconds whoever has shown too many wrong tokens may try again.
	retryAfter = "60"
)

// CallCentre answers telephone systems and operators: whose number it is, what the mirror
// has of a lead, and how far it can be trusted.
type CallCentre struct {
	Lookup Lookup
	// PhoneRegion is the country of callers' numbers without a country code.
	PhoneRegion string
	// Judge knows the tokens that open the look-ups (Read) and the redirect to a card (Card); see
	// access.Right. One that anybody can reach should not know the operators' token: whoever tries
	// tokens would learn there which one it is.
	Judge *access.Judge
	Log   *slog.Logger
}

// route adds the addresses.
func (cc *CallCentre) route(e *echo.Echo) {
	e.GET("/api/v1/lookup", cc.lookup, private, cc.bearer)
	e.GET("/api/v1/status", cc.status, private, cc.bearer)
	e.GET("/api/v1/leads/:member_id/:id", cc.lead, private, cc.bearer)
	e.GET(CardPath, cc.card, private)
}

// apiError is the body of an answer that is not a success.
type apiError struct {
	Error   string `json:"error"`   // for programs
	Message string `json:"message"` // for people: what to do
}

var (
	unauthorized = apiError{"unauthorized", "Send the header Authorization: Bearer TOKEN. The token is LEADSYNC_API_TOKEN; " +
		"if that is not set, it is in the file api-token in leadsync's data directory."}
	tooMany     = apiError{"too_many_attempts", "Too many wrong tokens came from this address. Wait a minute, then try again with the right one."}
	noNumber    = apiError{"no_number", "The parameter phone is not a telephone number: send its digits, at least three, such as ?phone=%2B79123456789."}
	noLead      = apiError{"no_lead", "The path is /api/v1/leads/MEMBER_ID/ID: the portal's member_id and the lead's id, from 1 to 2147483647."}
	notFound    = apiError{"not_found", "The mirror does not have this lead. If the portal has it, `leadsync reconcile` finds out why."}
	deleted     = apiError{"deleted", "The lead was deleted in the portal."}
	unavailable = apiError{"unavailable", "The database does not answer. Try again in a few seconds; /readyz reports what is failing."}
)

// private keeps answers out of caches, and their addresses out of other servers' logs.
func private(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		return next(c)
	}
}

// bearer refuses requests without a token that may read, but for callers whom a guard in front of
// it has let in: who is at this machine, is logged in, or is named by a proxy.
func (cc *CallCentre) bearer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if access.CallerOf(c.Request().Context()).Right >= access.Read {
			return next(c)
		}
		right, slow := access.None, false
		if token, shown := access.Bearer(c.Request()); shown {
			right, slow = cc.Judge.Right(c.Request(), token, access.Read, access.Operate)
		}
		switch {
		case slow:
			c.Response().Header().Set("Retry-After", retryAfter)
			return c.JSON(http.StatusTooManyRequests, tooMany)
		case right == access.None:
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="leadsync"`)
			return c.JSON(http.StatusUnauthorized, unauthorized)
		}
		return next(c)
	}
}

// callers finds the leads of the parameter phone. A plus that was not escaped arrives as a
// space.
func (cc *CallCentre) callers(c echo.Context, limit int) (found []leads.Caller, isNumber bool, err error) {
	number := c.QueryParam("phone")
	if strings.HasPrefix(number, " ") {
		number = "+" + strings.TrimSpace(number)
	}
	digits, ok := leads.CallerDigits(number, cc.PhoneRegion)
	if !ok {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), lookupLimit)
	defer cancel()
	found, err = cc.Lookup.Callers(ctx, digits, limit)
	cc.logFailure(ctx, err)
	return found, true, err
}

// logFailure logs why a look-up failed, without what was looked up.
func (cc *CallCentre) logFailure(ctx context.Context, err error) {
	if err != nil {
		cc.Log.WarnContext(ctx, "look-up not answered", "error", err)
	}
}

// lookup answers whose number it is. No lead is a successful answer, too.
func (cc *CallCentre) lookup(c echo.Context) error {
	found, isNumber, err := cc.callers(c, maxCallers)
	switch {
	case err != nil:
		return c.JSON(http.StatusServiceUnavailable, unavailable)
	case !isNumber:
		return c.JSON(http.StatusBadRequest, noNumber)
	}
	return c.JSON(http.StatusOK, leads.NewAnswer(found))
}

// lead answers one lead with all fields that the portal shows.
func (cc *CallCentre) lead(c echo.Context) error {
	id, err := leads.ParseID(c.Param("id"))
	if err != nil || !leads.ValidMemberID(c.Param("member_id")) {
		return c.JSON(http.StatusBadRequest, noLead)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), lookupLimit)
	defer cancel()
	card, ok, err := cc.Lookup.Card(ctx, leads.Ref{MemberID: leads.CanonicalMemberID(c.Param("member_id")), LeadID: id})
	cc.logFailure(ctx, err)
	switch {
	case err != nil:
		return c.JSON(http.StatusServiceUnavailable, unavailable)
	case !ok:
		return c.JSON(http.StatusNotFound, notFound)
	case !card.DeletedAt.IsZero():
		return c.JSON(http.StatusGone, deleted)
	}
	return c.JSON(http.StatusOK, card)
}

// status answers with the status of every portal's mirror: while one is blind, "not found"
// may be false.
func (cc *CallCentre) status(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), lookupLimit)
	defer cancel()
	statuses, err := cc.Lookup.MirrorStatuses(ctx)
	if err != nil {
		cc.Log.ErrorContext(ctx, "status of the mirrors cannot be read", "error", err)
		return c.JSON(http.StatusServiceUnavailable, unavailable)
	}
	if statuses == nil {
		statuses = []leads.MirrorStatus{}
	}
	return c.JSON(http.StatusOK, map[string]any{"portals": statuses})
}
