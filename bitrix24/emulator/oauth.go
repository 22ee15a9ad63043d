package emulator

import (
	"net/http"
	"strings"

	"leadsync/bitrix24"
)

// authMux routes the requests to the authorization server.
func (p *Portal) authMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/oauth/token/{$}", p.serveToken)
	mux.HandleFunc("/oauth/token", p.serveToken)
	mux.HandleFunc("/rest/", p.serveAuthREST)
	return mux
}

// oauthError is a refusal of the token endpoint (docs/bitrix24.md 1.6).
type oauthError struct {
	status     int
	code, text string
}

// serveToken is /oauth/token/: GET or POST, for both kinds of grants (docs/bitrix24.md 1.4,
// 1.5).
func (p *Portal) serveToken(w http.ResponseWriter, r *http.Request) {
	p.stats.request("oauth.token")
	if p.failToken(w, r) {
		return
	}
	args, err := readArgs(r)
	if err != nil {
		p.refuseToken(w, &oauthError{http.StatusBadRequest, "invalid_request", err.Error()})
		return
	}
	pair, refused := p.grant(args)
	if p.cfg.OnToken != nil {
		p.cfg.OnToken()
	}
	if refused != nil {
		p.refuseToken(w, refused)
		return
	}
	p.answer(w, http.StatusOK, appendValue(nil, p.tokenAnswer(pair)))
}

func (p *Portal) refuseToken(w http.ResponseWriter, e *oauthError) {
	body := object{{"error", e.code}}
	if e.text != "" {
		body = append(body, pair{"error_description", e.text})
	}
	p.answer(w, e.status, appendValue(nil, body))
}

// grant checks a token request and issues tokens for it.
func (p *Portal) grant(args *bitrix24.Form) (tokenPair, *oauthError) {
	text := func(name string) string {
		if f := args.Fold(name); f != nil {
			return f.Value
		}
		return ""
	}
	kind := text("grant_type")
	given := map[string]string{"authorization_code": "code", "refresh_token": "refresh_token"}[kind]
	for _, need := range []string{"grant_type", "client_id", "client_secret", given} {
		if need != "" && text(need) == "" {
			return tokenPair{}, &oauthError{http.StatusBadRequest, "invalid_request", `No "` + need + `" parameter found`}
		}
	}
	if given == "" {
		return tokenPair{}, &oauthError{http.StatusBadRequest, "invalid_request", "Unknown grant_type"}
	}
	switch {
	case text("client_id") != p.app.identity().clientID:
		return tokenPair{}, &oauthError{http.StatusOK, "wrong_client", ""} // 200: docs/bitrix24.md 1.6
	case text("client_secret") != p.app.identity().clientSecret, !p.app.isInstalled():
		return tokenPair{}, &oauthError{http.StatusBadRequest, "invalid_client", ""}
	case p.Faults().PaymentRequired:
		return tokenPair{}, &oauthError{http.StatusBadRequest, "PAYMENT_REQUIRED", "Payment required"}
	}
	if s := text("scope"); s != "" && !p.mayScope(s) {
		return tokenPair{}, &oauthError{http.StatusForbidden, "INVALID_SCOPE", "Given scope exceeds permissions"}
	}
	var pair tokenPair
	var ok bool
	if kind == "refresh_token" {
		pair, ok = p.tokens.renew(text(given), p.clock.now())
	} else {
		pair, ok = p.tokens.exchange(text(given), p.clock.now())
	}
	if !ok {
		return tokenPair{}, &oauthError{http.StatusBadRequest, "invalid_grant", ""}
	}
	return pair, nil
}

func (p *Portal) mayScope(asked string) bool {
	for one := range strings.SplitSeq(asked, ",") {
		if !strings.Contains(","+p.scopeText()+",", ","+strings.TrimSpace(one)+",") {
			return false
		}
	}
	return true
}

// tokenAnswer has the keys of real answers in their order (docs/bitrix24.md 1.4). domain is
// the authorization server's, not the portal's.
func (p *Portal) tokenAnswer(t tokenPair) object {
	return object{
		{"access_token", t.access},
		{"expires", t.expires.Unix()},
		{"expires_in", int(p.cfg.AccessLife.Seconds())},
		{"scope", p.scopeText()},
		{"domain", hostOf(p.oauthURL)},
		{"server_endpoint", p.oauthURL + "/rest/"},
		{"status", p.cfg.Status},
		{"client_endpoint", p.portalURL + "/rest/"},
		{"member_id", p.memberID},
		{"user_id", t.user},
		{"refresh_token", t.refresh},
	}
}

// serveAuthREST is the authorization server's own REST method, app.info, by which an
// application verifies an installation (docs/bitrix24.md 1.14).
func (p *Portal) serveAuthREST(w http.ResponseWriter, r *http.Request) {
	to := parseRoute(r.URL.Path)
	p.stats.request(to.method)
	if p.failToken(w, r) {
		return
	}
	args, err := readArgs(r)
	if err != nil || to.method != "app.info" {
		status, body := refused(errNoMethod)
		p.answer(w, status, body)
		return
	}
	watch := p.watch()
	var token string
	if f := args.Fold("auth"); f != nil {
		token = f.Value
	}
	who, err := p.tokens.check(token, p.clock.now())
	if !p.app.isInstalled() && token != "" {
		err = &refusal{http.StatusUnauthorized, "NOT_INSTALLED", "Application not installed"}
	}
	if err != nil {
		status, body := refused(err)
		p.answer(w, status, body)
		return
	}
	p.answer(w, http.StatusOK, envelope(answer{result: p.authAppInfo(who, token)}, watch.stop()))
}

func (p *Portal) authAppInfo(user int, token string) object {
	install := object{
		{"installed", true},
		{"version", p.app.currentVersion()},
		{"status", p.cfg.Status},
		{"scope", p.scopeText()},
		{"domain", hostOf(p.portalURL)},
		{"uri", p.portalURL},
		{"client_endpoint", p.portalURL + "/rest/"},
		{"member_id", p.memberID},
		{"member_type", "bitrix24"},
	}
	return object{
		{"client_id", p.app.identity().clientID},
		{"scope", p.scopeText()},
		{"expires", p.tokens.expiry(token).Unix()},
		{"user_id", user},
		{"install", install},
	}
}
