package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/leads"
)

// Lookup is what the call centre asks.
type Lookup interface {
	// Callers are the leads of a number, told by leads.Phone.Digits, by rank.
	Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error)
	// Card is one lead, a tombstone included; false where there is none.
	Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error)
}

const (
	// mostCallers is how many leads of a number are told: more share only numbers that
	// are nobody's.
	mostCallers = 50
	// askLimit is how long a caller is looked for: an operator waits, and a telephone
	// system has better things to do.
	askLimit = 5 * time.Second
)

// trouble is the body of an answer that is no success.
type trouble struct {
	Error   string `json:"error"`   // for programs
	Message string `json:"message"` // for people: what to do
}

var (
	unauthorized = trouble{"unauthorized", "Send the header Authorization: Bearer TOKEN. The token is LEADSYNC_API_TOKEN; " +
		"where that is not set, leadsync keeps one in the file api-token in its data directory."}
	noNumber = trouble{"no_number", "The parameter phone holds no telephone number: send its digits, at least three, such as ?phone=%2B79123456789."}
	noRef    = trouble{"no_lead", "The path is /api/v1/leads/ with the member_id of the portal, / and the id of the lead, from 1 to 2147483647."}
	unknown  = trouble{"not_found", "The mirror has no such lead. If the portal has it, `leadsync reconcile` finds out why."}
	deleted  = trouble{"deleted", "The lead was deleted in the portal."}
	ill      = trouble{"unavailable", "The database does not answer. Try again in a few seconds; /readyz says what is wrong."}
)

// private keeps what it answers out of caches, and its address out of others' logs.
func private(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		return next(c)
	}
}

// bearer lets requests with the token pass.
func (s *Server) bearer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.trusts(bearerOf(c.Request())) {
			c.Response().Header().Set("WWW-Authenticate", `Bearer realm="leadsync"`)
			return c.JSON(http.StatusUnauthorized, unauthorized)
		}
		return next(c)
	}
}

func bearerOf(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// trusts compares in constant time, whatever the length.
func (s *Server) trusts(token string) bool {
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.APIToken.Reveal()))
	return s.APIToken != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// callers finds the leads of the parameter phone. A plus that was not escaped comes as a
// blank, which is all the same.
func (s *Server) callers(c echo.Context, limit int) (found []leads.Caller, isNumber bool, err error) {
	digits, ok := leads.CallerDigits(c.QueryParam("phone"))
	if !ok {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), askLimit)
	defer cancel()
	found, err = s.Lookup.Callers(ctx, digits, limit)
	s.unanswered(ctx, err)
	return found, true, err
}

// unanswered logs why a question was not answered; what was asked stays untold.
func (s *Server) unanswered(ctx context.Context, err error) {
	if err != nil {
		s.Log.WarnContext(ctx, "a lookup was not answered", "error", err)
	}
}

// lookup tells whose number it is. That nobody has it is an answer, too.
func (s *Server) lookup(c echo.Context) error {
	found, isNumber, err := s.callers(c, mostCallers)
	switch {
	case err != nil:
		return c.JSON(http.StatusServiceUnavailable, ill)
	case !isNumber:
		return c.JSON(http.StatusBadRequest, noNumber)
	}
	return c.JSON(http.StatusOK, leads.NewAnswer(found))
}

// lead tells one lead, with all the portal shows of it.
func (s *Server) lead(c echo.Context) error {
	id, err := leads.ParseID(c.Param("id"))
	if err != nil || !leads.ValidMemberID(c.Param("member_id")) {
		return c.JSON(http.StatusBadRequest, noRef)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), askLimit)
	defer cancel()
	card, ok, err := s.Lookup.Card(ctx, leads.Ref{MemberID: c.Param("member_id"), LeadID: id})
	s.unanswered(ctx, err)
	switch {
	case err != nil:
		return c.JSON(http.StatusServiceUnavailable, ill)
	case !ok:
		return c.JSON(http.StatusNotFound, unknown)
	case !card.DeletedAt.IsZero():
		return c.JSON(http.StatusGone, deleted)
	}
	return c.JSON(http.StatusOK, card)
}
