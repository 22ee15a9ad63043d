package handlers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// stateLife is how long a person may take to log in at the portal.
const stateLife = 15 * time.Minute

// stateCookie binds the state to the browser that began.
const stateCookie = "leadsync_oauth"

// redirects makes and checks the state parameter: what comes back must be what a replica
// with the same key sent out, in the same browser, not long ago.
type redirects struct {
	key []byte
	now func() time.Time
}

// newRedirects makes up a key where none is given: then only this process knows its own.
func newRedirects(key []byte, now func() time.Time) redirects {
	if len(key) == 0 {
		key = make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
	}
	return redirects{key: key, now: now}
}

// state signs the cookie's nonce and an expiry.
func (r redirects) state(nonce string) string {
	until := strconv.FormatInt(r.now().Add(stateLife).Unix(), 36)
	return until + "." + r.sign(nonce, until)
}

func (r redirects) valid(state, nonce string) bool {
	until, signature, ok := strings.Cut(state, ".")
	expiry, err := strconv.ParseInt(until, 36, 64)
	return ok && err == nil && r.now().Unix() < expiry && hmac.Equal([]byte(signature), []byte(r.sign(nonce, until)))
}

func (r redirects) sign(nonce, until string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(nonce + "|" + until))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// start sends the browser to the portal's log-in. Anybody can make a link to this page, so
// it leads on by itself only to portals that are known; to another that may be served,
// the person goes by a click, having read where to.
func (s *Server) start(c echo.Context) error {
	domain := strings.ToLower(strings.TrimSpace(c.QueryParam("domain")))
	endpoint, err := s.OAuth.Trust.Endpoint(s.scheme(domain) + domain)
	if err != nil || strings.ContainsAny(domain, "/?#@\\") {
		return page(c, http.StatusBadRequest, "Which portal?",
			"Open this address with the portal's host name: /bitrix24/oauth/start?domain=example.bitrix24.com")
	}
	to, err := s.destination(c.Request().Context(), domain)
	switch {
	case errors.Is(err, errForged):
		return page(c, http.StatusForbidden, "This portal is not served here", err.Error())
	case err != nil:
		s.Log.ErrorContext(c.Request().Context(), "log-in cannot begin", "error", err)
		return page(c, http.StatusServiceUnavailable, "The database does not answer", "Begin again in a minute. /readyz says what is ill.")
	case to.oauth.ClientID == "" || to.oauth.ClientSecret == "":
		return page(c, http.StatusServiceUnavailable, "leadsync has no application yet",
			"Set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET to what Bitrix24 shows for the local application, and start leadsync again.")
	}
	nonce := rand.Text()
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure where we are reached by https; a first try is on http
		Name: stateCookie, Value: nonce, Path: "/bitrix24/oauth", MaxAge: int(stateLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.PublicURL, "https://"),
	})
	query := url.Values{"client_id": {to.oauth.ClientID}, "state": {s.oauth.state(nonce)}}
	there := endpoint + "oauth/authorize/?" + query.Encode()
	if !to.known {
		return linkPage(c, "Connect "+domain+"?", "leadsync does not know this portal yet. If "+domain+" is yours, log in there:", there, "Log in at "+domain)
	}
	return c.Redirect(http.StatusFound, there)
}

// destination is a portal that somebody wants to log in at.
type destination struct {
	known bool
	oauth *bitrix24.OAuth // as whom
}

// destination tells whether a host may be a portal that is served here: one that is known
// or named in the settings, else one that could come in and whose name is a public one.
func (s *Server) destination(ctx context.Context, domain string) (destination, error) {
	portals, err := s.Portals.Portals(ctx)
	if err != nil {
		return destination{}, err
	}
	for _, p := range portals {
		if strings.EqualFold(p.Domain, domain) {
			return destination{true, s.OAuth.As(p.ClientID, p.ClientSecret)}, nil
		}
	}
	named := func(host string) bool { return strings.EqualFold(host, domain) }
	switch {
	case slices.ContainsFunc(s.Allowed, named) || slices.Contains(s.OAuth.Trust.Insecure, domain):
		return destination{true, s.OAuth}, nil
	case len(s.Allowed) == 0 && len(portals) > 0:
		return destination{}, fmt.Errorf("%w: %s would be a second portal; name it in LEADSYNC_B24_PORTALS, or add it by `leadsync portals add`", errForged, domain)
	case len(s.Allowed) > 0 && !slices.ContainsFunc(s.Allowed, func(a string) bool { return a == "any" || leads.ValidMemberID(a) }):
		return destination{}, fmt.Errorf("%w: %s is not in LEADSYNC_B24_PORTALS", errForged, domain)
	case !publicName(domain):
		return destination{}, fmt.Errorf("%w: %s is not the name of a host on the internet", errForged, domain)
	}
	return destination{false, s.OAuth}, nil
}

// publicName tells whether a host could be a portal's: a name with a dot, no number, no
// port, nothing that only a local network knows.
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

// scheme is https, but for an emulator.
func (s *Server) scheme(host string) string {
	if _, err := s.OAuth.Trust.Endpoint("http://" + host); err == nil {
		return "http://"
	}
	return "https://"
}

// redirected takes the browser back from the portal and exchanges the code at once: it
// lives 30 seconds.
func (s *Server) redirected(c echo.Context) error {
	cookie, err := c.Cookie(stateCookie)
	if err != nil || !s.oauth.valid(c.QueryParam("state"), cookie.Value) {
		return page(c, http.StatusForbidden, "This log-in was not started here",
			"Begin at /bitrix24/oauth/start?domain=… in this browser, and finish within 15 minutes.")
	}
	c.SetCookie(&http.Cookie{Name: stateCookie, Path: "/bitrix24/oauth", MaxAge: -1, HttpOnly: true}) //nolint:gosec // it is removed
	ctx, cancel := context.WithTimeout(c.Request().Context(), 20*time.Second)
	defer cancel()
	domain, err := s.exchange(ctx, c)
	if err != nil {
		s.Log.WarnContext(ctx, "authorization failed", "error", err)
		status, title, advice := explain(err)
		return page(c, status, title, advice)
	}
	return page(c, http.StatusOK, "Portal "+domain+" is connected",
		"leadsync now binds its events and imports the leads. You can close this page.")
}

func (s *Server) exchange(ctx context.Context, c echo.Context) (string, error) {
	server, memberID := c.QueryParam("server_domain"), c.QueryParam("member_id")
	oauth, err := s.oauthOf(ctx, memberID)
	if err != nil {
		return "", err
	}
	pair, err := oauth.Exchange(ctx, server, c.QueryParam("code"))
	if err != nil {
		return "", err
	}
	if pair.MemberID != memberID || !leads.ValidMemberID(memberID) {
		return "", fmt.Errorf("%w: the tokens belong to another portal", errForged)
	}
	endpoint, err := s.OAuth.Trust.Endpoint(pair.ClientEndpoint)
	if err != nil {
		return "", err
	}
	return hostOf(endpoint), s.authorize(ctx, authorization{
		grant: pair.Grant, clientEndpoint: endpoint, serverEndpoint: server, event: "oauth",
	})
}

// explain turns a failure into words for the person at the browser.
func explain(err error) (status int, title, advice string) {
	var refusal *bitrix24.Error
	switch {
	case errors.Is(err, errForged):
		return http.StatusForbidden, "This portal is not served here", err.Error()
	case errors.Is(err, bitrix24.ErrUntrusted):
		return http.StatusForbidden, "The authorization server is unknown", err.Error()
	case errors.As(err, &refusal) && refusal.Code == "INVALID_GRANT":
		return http.StatusBadGateway, "The code is no longer valid", "Bitrix24's codes live 30 seconds. Begin again at /bitrix24/oauth/start?domain=…"
	case errors.As(err, &refusal) && (refusal.Code == "WRONG_CLIENT" || refusal.Code == "INVALID_CLIENT"):
		return http.StatusBadGateway, "Bitrix24 does not know this application", "Check LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET against the application's form."
	default:
		return http.StatusBadGateway, "Bitrix24 could not be reached", "Begin again in a minute. The log says what went wrong."
	}
}
