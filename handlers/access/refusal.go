package access

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"leadsync/handlers/language"
)

// refusal is an answer to somebody who may not do what he asks for.
type refusal struct {
	status   int
	code     string // for programs
	words    words
	tellsWay bool // with how to log in
}

// words are what a page says, in English.
type words struct{ Title, Advice string }

var (
	unknown = refusal{
		status: http.StatusUnauthorized, code: "unauthorized", tellsWay: true,
		words: words{"Log in", "Send the header Authorization: Bearer TOKEN, or log in at " + LoginPath + " with a browser. The tokens are LEADSYNC_API_TOKEN (reading) and " +
			"LEADSYNC_OPERATOR_TOKEN (everything); those that are not set are in the files api-token and operator-token in leadsync's data directory."},
	}
	readOnly = refusal{
		status: http.StatusForbidden, code: "read_only",
		words: words{"This token may only read", "To start, pause, replay, drop or bind, log in with the operator's token: LEADSYNC_OPERATOR_TOKEN, or the file operator-token in leadsync's data directory."},
	}
	foreign = refusal{
		status: http.StatusForbidden, code: "foreign_form",
		words: words{"Not done: the form is out of date, or another site sent it", "Go back, load the page again and repeat. Behind a reverse proxy, let it pass on the header Host."},
	}
	tooMany = refusal{
		status: http.StatusTooManyRequests, code: "too_many_attempts",
		words: words{"Too many wrong tokens", "Wait a minute, then try again."},
	}
	wrongToken = refusal{
		status: http.StatusUnauthorized, code: "wrong_token",
		words: words{"This token is wrong", "It is LEADSYNC_OPERATOR_TOKEN or LEADSYNC_API_TOKEN; one that is not set is in the file operator-token or api-token in leadsync's data directory."},
	}
)

// in is what the page says in a language.
func (w words) in(lang string) words {
	return words{language.Say(lang, w.Title), language.Say(lang, w.Advice)}
}

// refuse sends a browser to the log-in where that helps, and says to all others what to do.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, f refusal) {
	if f.tellsWay {
		w.Header().Set("WWW-Authenticate", `Bearer realm="leadsync"`)
	}
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	browser := strings.Contains(r.Header.Get("Accept"), "text/html")
	switch {
	case browser && f.tellsWay && r.Method == http.MethodGet:
		http.Redirect(w, r, LoginPath+"?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	case browser:
		g.showLogin(w, r, f, "")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": f.code, "message": f.words.Advice}) // the caller may be gone
	}
}
