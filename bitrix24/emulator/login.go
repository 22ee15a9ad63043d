package emulator

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"leadsync/handlers/language"
)

// serveAuthorize is /oauth/authorize/. Config.LoginUser is logged in, or with Config.AskLogin
// whoever is chosen on the page, and it redirects with six parameters (docs/bitrix24.md 1.2,
// 1.3). The parameter login, which no portal has, chooses a user by his id.
func (p *Portal) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p.stats.request("oauth.authorize")
	q := r.URL.Query()
	redirect, installed := p.app.redirect()
	who, lang := p.loggedIn(q.Get("login")), language.Of(r, "")
	show := func(status int, title, body string) { authorizePage(w, status, language.Say(lang, title), body) }
	switch {
	case q.Get("client_id") != p.app.identity().clientID:
		show(http.StatusNotFound, "Application not found", language.Say(lang, "No application has this client_id on the portal."))
	case !installed:
		show(http.StatusForbidden, "Application not installed",
			language.Say(lang, "The application is not installed on this portal: save its form first."))
	case p.cfg.AskLogin && q.Get("login") == "":
		show(http.StatusOK, "Log-in to the portal", p.loginLinks(lang, q))
	case who == nil:
		show(http.StatusForbidden, "Log-in refused", language.Say(lang, "There is no such user, or they were dismissed."))
	case redirect == "":
		show(http.StatusOK, "Authorization code", "<code>"+p.tokens.code(who.id, p.clock.now())+"</code>")
	default:
		http.Redirect(w, r, p.redirectURL(redirect, q.Get("state"), who.id), http.StatusFound) //nolint:gosec // the address is from the form, state is escaped
	}
}

// loggedIn is the user who is logged in: the one with the given id, or Config.LoginUser; nil if
// he may not log in.
func (p *Portal) loggedIn(id string) *user {
	n, err := strconv.Atoi(id)
	if err != nil {
		n = p.cfg.LoginUser
	}
	u := p.employee(n)
	if u == nil || u.blocked {
		return nil
	}
	return u
}

// loginLinks are the users to choose from, with their rights in a language. The first link has the id login.
func (p *Portal) loginLinks(lang string, q url.Values) string {
	var b strings.Builder
	for i := range users {
		u := p.employee(users[i].id)
		if u.id == systemUser {
			continue // nobody knows its password
		}
		id, rights := "login-"+strconv.Itoa(u.id), "employee"
		switch {
		case u.blocked:
			rights = "dismissed"
		case u.admin:
			rights = "administrator"
		}
		if i == 0 {
			id = "login"
		}
		q.Set("login", strconv.Itoa(u.id))
		b.WriteString(`<a id="` + id + `" href="?` + html.EscapeString(q.Encode()) + `">` +
			html.EscapeString(u.name+" "+u.lastName) + "</a> (" + language.Say(lang, rights) + ", " + strconv.Itoa(u.id) + ")<br>")
	}
	return b.String()
}

// redirectURL adds the six parameters in the order of the documentation.
func (p *Portal) redirectURL(to, state string, user int) string {
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return to + sep + "code=" + p.tokens.code(user, p.clock.now()) +
		"&state=" + url.QueryEscape(state) +
		"&domain=" + url.QueryEscape(hostOf(p.portalURL)) +
		"&member_id=" + p.memberID +
		"&scope=" + url.QueryEscape(p.scopeText()) +
		"&server_domain=" + url.QueryEscape(hostOf(p.oauthURL))
}

// authorizePage writes a page of the log-in; body is HTML.
func authorizePage(w http.ResponseWriter, status int, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<!doctype html><meta charset=utf-8><title>" + title + "</title><h1>" + title + "</h1><p>" + body + "</p>")) //nolint:gosec // what the request has is escaped in loginLinks
}
