package handlers

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/portals"
)

// refuse counts a decision on a callback and answers it: with a page where a person reads
// it, else with the status alone.
func (s *Server) refuse(c echo.Context, d portals.Decision, sent message) error {
	s.cfg.Portals.Count(c.Request().Context(), d)
	a := answerTo(d.Reason)
	if a.status == http.StatusMethodNotAllowed && c.Response().Header().Get("Allow") == "" {
		c.Response().Header().Set("Allow", http.MethodPost)
	}
	language := languageOf(c.Request(), sent.text("LANG"))
	if text := a.in(language); text.title != "" && (a.framed || strings.Contains(c.Request().Header.Get("Accept"), "text/html")) {
		content := pageContent{Language: language, Title: text.title, Advice: text.advice}
		if a.framed {
			content.Frame = frameOf(sent)
		}
		return show(c, a.status, content)
	}
	return c.NoContent(a.status)
}

// message is what a request carries, in its address and in its body.
type message struct{ query, body *bitrix24.Form }

// text is a value, of the body or else of the address.
func (m message) text(name string) string {
	if value := m.body.Text(name); value != "" {
		return value
	}
	return m.query.Text(name)
}

func (m message) has(name string) bool { return m.body.At(name) != nil || m.query.At(name) != nil }

// what tells apart what Bitrix24 sends although it is no callback: the browser of somebody
// who opens the application's page in the portal (docs/bitrix24.md 1.11.1), and the webhook of
// a robot or a business process, which names its document and no event. Accepted is
// anything else.
func (m message) what() portals.Reason {
	if m.text("event") != "" {
		return portals.Accepted
	}
	if slices.ContainsFunc([]string{"AUTH_ID", "REFRESH_ID", "PLACEMENT", "APP_SID", "DOMAIN"}, m.has) {
		return portals.ApplicationPage
	}
	if m.has("document_id") {
		return portals.RobotWebhook
	}
	return portals.Accepted
}

// decision is the decision on a message for a reason that has nothing to do with who sent
// it. The portal is what the message says, for the log.
func (m message) decision(reason portals.Reason) portals.Decision {
	return portals.Decision{Reason: reason, Domain: hostIn(cmp.Or(m.body.Text("auth", "domain"), m.query.Text("DOMAIN")))}
}

// queryOf reads the address of a request alone.
func queryOf(r *http.Request) message {
	query, err := bitrix24.ParseForm(r.URL.RawQuery)
	if err != nil {
		query = &bitrix24.Form{}
	}
	return message{query: query, body: &bitrix24.Form{}}
}

// frameOf is who may show a page in a frame: the portal that opened it. Its name comes from
// the address, which anybody can write; the page has nothing to click.
func frameOf(sent message) string {
	host := hostIn(sent.query.Text("DOMAIN"))
	switch {
	case host == "":
		return "https:"
	case sent.query.Text("PROTOCOL") == "0":
		return "http://" + host
	}
	return "https://" + host
}

// hostIn is a host that somebody has written, "" where it cannot be one.
func hostIn(text string) string {
	host := strings.ToLower(text)
	if len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return ""
	}
	return host
}
