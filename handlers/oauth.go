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

// start sends the browser to the portal's log-in. Anybody can make a link to this page, so
// it redirects only to portals that are known; to another portal that may be served, the
// person has to click a link that names it.
func (s *Server) start(c echo.Context) error {
	to, decision := s.cfg.Portals.Destination(c.Request().Context(), c.QueryParam("domain"))
	if decision.Reason != portals.Accepted {
		return refusalPage(c, decision)
	}
	nonce := rand.Text()
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure where we are reached by https; a first try is on http
		Name: stateCookie, Value: nonce, Path: "/bitrix24/oauth", MaxAge: int(stateLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.cfg.PublicURL, "https://"),
	})
	query := url.Values{"client_id": {to.ClientID}, "state": {s.oauth.issue(nonce)}}
	address := to.Endpoint + "oauth/authorize/?" + query.Encode()
	if !to.Known {
		return linkPage(c, "Connect "+to.Domain+"?", "leadsync does not know this portal yet. If "+to.Domain+" is yours, log in there:", address, "Log in at "+to.Domain)
	}
	return c.Redirect(http.StatusFound, address)
}

// finish takes the browser back from the portal and exchanges the code at once: it lives
// 30 seconds.
func (s *Server) finish(c echo.Context) error {
	cookie, err := c.Cookie(stateCookie)
	if err != nil || !s.oauth.valid(c.QueryParam("state"), cookie.Value) {
		return page(c, http.StatusForbidden, "This log-in was not started here",
			"Begin at /bitrix24/oauth/start?domain=… in this browser, and finish within 15 minutes.")
	}
	c.SetCookie(&http.Cookie{Name: stateCookie, Path: "/bitrix24/oauth", MaxAge: -1, HttpOnly: true}) //nolint:gosec // it is removed
	decision := s.cfg.Portals.Authorize(c.Request().Context(), portals.Redirect{
		Server: c.QueryParam("server_domain"), MemberID: c.QueryParam("member_id"), Code: c.QueryParam("code"),
	})
	if decision.Reason != portals.Accepted {
		return refusalPage(c, decision)
	}
	return page(c, http.StatusOK, "Portal "+decision.Domain+" is connected",
		"leadsync now binds its events and imports the leads. You can close this page.")
}

// refusalPage says why a log-in is refused, and what to do.
func refusalPage(c echo.Context, decision portals.Decision) error {
	a := answerTo(decision.Reason)
	if a.explained && decision.Err != nil {
		a.advice = decision.Err.Error()
	}
	return page(c, a.status, a.title, a.advice)
}
