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
	en, ru   words
	tellsWay bool // with how to log in
}

// words are what a page says.
type words struct{ Title, Advice string }

var (
	unknown = refusal{
		status: http.StatusUnauthorized, code: "unauthorized", tellsWay: true,
		en: words{"Log in", "Send the header Authorization: Bearer TOKEN, or log in at " + LoginPath + " with a browser. The tokens are LEADSYNC_API_TOKEN (reading) and " +
			"LEADSYNC_OPERATOR_TOKEN (everything); those that are not set are in the files api-token and operator-token in leadsync's data directory."},
		ru: words{"Войдите", "Нужен ключ: LEADSYNC_API_TOKEN (чтение) или LEADSYNC_OPERATOR_TOKEN (всё). Если они не заданы, ключи лежат в файлах api-token и operator-token в каталоге данных leadsync."},
	}
	readOnly = refusal{
		status: http.StatusForbidden, code: "read_only",
		en: words{"This token may only read", "To start, pause, replay, drop or bind, log in with the operator's token: LEADSYNC_OPERATOR_TOKEN, or the file operator-token in leadsync's data directory."},
		ru: words{"Этот ключ даёт только чтение", "Чтобы запускать, останавливать, повторять, удалять и подписываться, войдите с ключом оператора: LEADSYNC_OPERATOR_TOKEN или файл operator-token в каталоге данных leadsync."},
	}
	foreign = refusal{
		status: http.StatusForbidden, code: "foreign_form",
		en: words{"Not done: the form is out of date, or another site sent it", "Go back, load the page again and repeat. Behind a reverse proxy, let it pass on the header Host."},
		ru: words{"Не выполнено: форма устарела или её прислал другой сайт", "Вернитесь, обновите страницу и повторите. За обратным прокси: пусть он передаёт заголовок Host."},
	}
	tooMany = refusal{
		status: http.StatusTooManyRequests, code: "too_many_attempts",
		en: words{"Too many wrong tokens", "Wait a minute, then try again."},
		ru: words{"Слишком много неверных ключей", "Подождите минуту и повторите."},
	}
	wrongToken = refusal{
		status: http.StatusUnauthorized, code: "wrong_token",
		en: words{"This token is wrong", "It is LEADSYNC_OPERATOR_TOKEN or LEADSYNC_API_TOKEN; one that is not set is in the file operator-token or api-token in leadsync's data directory."},
		ru: words{"Неверный ключ", "Это LEADSYNC_OPERATOR_TOKEN или LEADSYNC_API_TOKEN; если они не заданы, ключ лежит в файле operator-token или api-token в каталоге данных leadsync."},
	}
)

// in is what a refusal says in a language.
func (f refusal) in(lang string) words {
	if lang == language.Russian {
		return f.ru
	}
	return f.en
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
		_ = json.NewEncoder(w).Encode(map[string]string{"error": f.code, "message": f.en.Advice}) // the caller may be gone
	}
}
