package access

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"leadsync/handlers/language"
)

// sessionCookie has the id of a session.
const sessionCookie = "leadsync_session"

var loginTemplate = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="{{.Language}}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} – leadsync</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/console.css">
<main class="login">
<h1>{{.Title}}</h1>
{{with .Advice}}<p>{{.}}</p>{{end}}
<form method="post" action="/login">
<input type="hidden" name="next" value="{{.Next}}">
<label for="token">{{.Label}}</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>{{.Button}}</button>
</form>
</main>
</html>
`))

// loginWords are what the page says where nothing is wrong.
var loginWords = words{"leadsync", "Log in with a token: the operator's may do everything, that of the API only read. " +
	"A token that is not set by LEADSYNC_OPERATOR_TOKEN or LEADSYNC_API_TOKEN is in the file operator-token or api-token in leadsync's data directory."}

// login shows the form and takes it.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		g.showLogin(w, r, refusal{status: http.StatusOK}, r.URL.Query().Get("next"))
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case g.origin.Check(r) != nil:
		g.showLogin(w, r, foreign, "")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostFormBytes)
	next := r.PostFormValue("next")
	right, refused := g.judge(r, strings.TrimSpace(r.PostFormValue("token")))
	if refused != nil {
		if refused == &unknown {
			refused = &wrongToken
		}
		g.showLogin(w, r, *refused, next)
		return
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		g.sessions.end(cookie.Value)
	}
	http.SetCookie(w, cookie(r, g.sessions.begin(right), int(sessionLife.Seconds())))
	http.Redirect(w, r, local(next), http.StatusSeeOther) //nolint:gosec // local lets no other host through
}

// showLogin shows the form, with what is wrong.
func (g *Guard) showLogin(w http.ResponseWriter, r *http.Request, f refusal, next string) {
	lang := language.Of(r, "")
	said := cmp.Or(f.words, loginWords).in(lang)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(f.status)
	_ = loginTemplate.Execute(w, map[string]string{ // the browser may be gone
		"Language": lang, "Title": said.Title, "Advice": said.Advice, "Next": local(next),
		"Label": language.Say(lang, "Token"), "Button": language.Say(lang, "button Log in"),
	})
}

// logout ends the caller's session.
func (g *Guard) logout(w http.ResponseWriter, r *http.Request) {
	caller, _, cancel, _ := g.identify(r)
	defer cancel()
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !caller.LoggedIn || !g.genuine(w, r, caller):
		g.refuse(w, r, foreign)
		return
	}
	if id, err := r.Cookie(sessionCookie); err == nil {
		g.sessions.end(id.Value)
	}
	http.SetCookie(w, cookie(r, "", -1))
	http.Redirect(w, r, LoginPath, http.StatusSeeOther)
}

// cookie is for this address alone. It is Secure where the browser came by https: a proxy on this
// machine says so, or the browser itself by the form's origin, as behind a proxy elsewhere and in a
// container, where the peer is a bridge. Whoever makes up an origin spoils only his own cookie.
func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where it can be: without a proxy the address is plain http
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || nearby(r) && r.Header.Get("X-Forwarded-Proto") == "https" || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	}
}

// local is where to go after the log-in: a path of ours, the first page for anything else. A
// browser takes two slashes, also backslashes, for another host.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || u.Path == LoginPath || u.Path == LogoutPath {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).RequestURI()
}
