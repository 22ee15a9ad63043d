package handlers

import (
	"net/http"

	"leadsync/handlers/access"
	"leadsync/handlers/language"

	"github.com/labstack/echo/v4"
)

// cardNotices are what an operator reads where no card can be opened.
var cardNotices = map[int]words{
	http.StatusUnauthorized:       {"This link does not work", "It needs the token for cards: /card?phone=…&token=…. Tell the person who set up the telephone system."},
	http.StatusTooManyRequests:    {"Too many wrong tokens", "They came from this address. Wait a minute, then try again with the right link."},
	http.StatusBadRequest:         {"This is not a telephone number", "The caller's number is hidden, or the telephone system passes it on in a wrong form. Example: /card?phone=+79123456789"},
	http.StatusNotFound:           {"Nobody with this number", "No lead in Bitrix24 has it. A new lead appears here within seconds."},
	http.StatusConflict:           {"The lead is known, its portal's address is not", "leadsync has lost its connection to the portal. Tell your administrator."},
	http.StatusServiceUnavailable: {"Leads cannot be looked up now", "The database does not answer. Try again in a minute."},
}

// card redirects the browser to the card of a caller's best lead. A browser cannot send a
// bearer token, so a token is in the address; that one opens nothing but cards, because
// addresses are kept in logs and histories.
func (cc *CallCentre) card(c echo.Context) error {
	switch right, slow := cc.cardRight(c); {
	case slow:
		c.Response().Header().Set("Retry-After", retryAfter)
		return cardPage(c, http.StatusTooManyRequests)
	case right == access.None:
		return cardPage(c, http.StatusUnauthorized)
	}
	found, isNumber, err := cc.callers(c, 1)
	switch {
	case err != nil:
		return cardPage(c, http.StatusServiceUnavailable)
	case !isNumber:
		return cardPage(c, http.StatusBadRequest)
	case len(found) == 0:
		return cardPage(c, http.StatusNotFound)
	case found[0].CardURL == "":
		return cardPage(c, http.StatusConflict)
	}
	return c.Redirect(http.StatusFound, found[0].CardURL)
}

// cardRight is what the token gives that is in the address, or in the header where it has none.
func (cc *CallCentre) cardRight(c echo.Context) (right access.Right, slow bool) {
	if token := c.QueryParam("token"); token != "" {
		return cc.Judge.Right(c.Request(), token, access.Card)
	}
	if token, shown := access.Bearer(c.Request()); shown {
		return cc.Judge.Right(c.Request(), token, access.Card, access.Read, access.Operate)
	}
	return access.None, false
}

// cardPage answers in the language of the browser.
func cardPage(c echo.Context, status int) error {
	lang := language.Of(c.Request(), "")
	n := cardNotices[status].in(lang)
	return show(c, status, pageContent{Language: lang, Title: n.title, Advice: n.advice})
}
