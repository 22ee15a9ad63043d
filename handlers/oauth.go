package handlers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/portals"
)

// stateLife is how long a person may take to log in at the portal.
const stateLife = 15 * time.Minute

// stateCookie binds the state to the browser that began.
const stateCookie = "leadsync_oauth"

// oauthState makes and checks the state parameter: what comes back must be what a replica
// with the same key sent out, in the same browser, less than stateLife ago.
type oauthState struct {
	key []byte
	now func() time.Time
}

// newOAuthState generates a key where none is given: then other replicas do not accept
// this process's states.
func newOAuthState(key []byte, now func() time.Time) oauthState {
	if len(key) == 0 {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	return oauthState{key: key, now: now}
}

// issue signs the cookie's nonce and an expiry.
func (o oauthState) issue(nonce string) string {
	until := strconv.FormatInt(o.now().Add(stateLife).Unix(), 36)
	return until + "." + o.sign(nonce, until)
}

func (o oauthState) valid(state, nonce string) bool {
	until, signature, ok := strings.Cut(state, ".")
	expiry, err := strconv.ParseInt(until, 36, 64)
	return ok && err == nil && o.now().Unix() < expiry && hmac.Equal([]byte(signature), []byte(o.sign(nonce, until)))
}

func (o oauthState) sign(nonce, until string) string {
	mac := hmac.New(sha256.New, o.key)
	mac.Write([]byte(nonce + "|" + until))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// start shows a link to the portal's log-in. Anybody can make a link to this page, so it
// leads only to portals that may be served, and a person has to click: whoever follows
// it unawares would give leadsync the rights of somebody else.
func (s *Server) start(c echo.Context) error {
	sent := queryOf(c.Request())
	switch what := sent.what(); {
	case what != portals.Accepted:
		return s.refuse(c, sent.decision(what, nil), sent)
	case c.Request().Method == http.MethodPost:
		return s.postedToStart(c)
	case !reads(c.Request()):
		return s.wrongMethod(c, sent)
	}
	to, decision := s.cfg.Portals.Destination(c.Request().Context(), c.QueryParam("domain"))
	if decision.Reason != portals.Accepted {
		return s.refusalPage(c, decision)
	}
	nonce := rand.Text()
	c.SetCookie(s.stateCookie(nonce, int(stateLife.Seconds())))
	query := url.Values{"client_id": {to.ClientID}, "state": {s.oauth.issue(nonce)}}
	lang := language.Of(c.Request(), "")
	text := startWords(lang, to)
	return show(c, http.StatusOK, pageContent{
		Language: lang, Title: text.title, Advice: text.advice, Good: true,
		Link: to.Endpoint + "oauth/authorize/?" + query.Encode(), Label: language.Say(lang, "Log in at %s", to.Domain),
	})
}

// postedToStart takes what was meant for the address of callbacks; the addresses are easily
// mixed up in Bitrix24's form.
func (s *Server) postedToStart(c echo.Context) error {
	sent, d := read(c)
	if sent.what() != portals.Accepted || sent.isCallback() {
		return s.answer(c, sent, d)
	}
	return s.wrongMethod(c, sent)
}

// startWords says what a log-in does.
func startWords(lang string, to portals.Destination) words {
	advice := "leadsync does not know this portal yet. If %s is yours, log in there as an administrator:"
	if to.Known {
		advice = "leadsync will read leads with the rights of whoever logs in there now. That has to be an administrator of %s."
	}
	return words{language.Say(lang, "Connect %s?", to.Domain), language.Say(lang, advice, to.Domain)}
}

// stateCookie is for every path: the addresses in Bitrix24's form may be spelt otherwise.
func (s *Server) stateCookie(nonce string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where we are reached by https; a first try is on http
		Name: stateCookie, Value: nonce, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.cfg.PublicURL, "https://"),
	}
}

// finish takes the browser back from the portal and exchanges the code at once: it lives
// 30 seconds. What is posted here was meant for the address of callbacks.
func (s *Server) finish(c echo.Context) error {
	sent := queryOf(c.Request())
	switch what := sent.what(); {
	case c.Request().Method == http.MethodPost:
		return s.callback(c)
	case what != portals.Accepted:
		return s.refuse(c, sent.decision(what, nil), sent)
	case c.Request().Method != http.MethodGet:
		return s.wrongMethod(c, sent)
	}
	cookie, err := c.Cookie(stateCookie)
	if err != nil || !s.oauth.valid(c.QueryParam("state"), cookie.Value) {
		return s.refusalPage(c, portals.Decision{Reason: portals.NotStarted})
	}
	c.SetCookie(s.stateCookie("", -1))
	decision := s.cfg.Portals.Authorize(c.Request().Context(), portals.Redirect{
		Server: c.QueryParam("server_domain"), MemberID: c.QueryParam("member_id"), Code: c.QueryParam("code"),
	})
	if decision.Reason != portals.Accepted {
		return s.refusalPage(c, decision)
	}
	lang := language.Of(c.Request(), "")
	return show(c, http.StatusOK, pageContent{
		Language: lang, Title: language.Say(lang, "Portal %s is connected", decision.Domain),
		Advice: language.Say(lang, "leadsync now binds its events and imports the leads. You can close this page."), Good: true,
	})
}

// reads tells requests of browsers that look at a page.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func (s *Server) wrongMethod(c echo.Context, sent message) error {
	c.Response().Header().Set("Allow", http.MethodGet)
	return s.refuse(c, sent.decision(portals.WrongMethod, nil), sent)
}

// refusalPage says why a log-in is refused and what to do, with a link to begin again
// where that helps.
func (s *Server) refusalPage(c echo.Context, decision portals.Decision) error {
	s.cfg.Portals.Count(c.Request().Context(), decision)
	lang := language.Of(c.Request(), "")
	a := answerTo(decision.Reason)
	text := a.words.in(lang)
	if a.explained && decision.Err != nil {
		text.advice = decision.Err.Error()
	}
	content := pageContent{Language: lang, Title: text.title, Advice: text.advice}
	if domain := c.QueryParam("domain"); domain != "" && decision.Reason != portals.BadDomain && decision.Reason != portals.NotServed {
		content.Link, content.Label = pathOf(s.cfg.PublicURL)+leads.LoginPath+"?"+url.Values{"domain": {domain}}.Encode(), language.Say(lang, "Begin again")
	}
	return show(c, a.status, content)
}
