package handlers

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/portals"
)

// refuse counts a decision on a callback and answers it: with a page where a person reads
// it, else in plain text.
func (s *Server) refuse(c echo.Context, d portals.Decision, sent message) error {
	if d.Reason != portals.WrongMethod || c.Request().UserAgent() != leads.ExaminerAgent {
		s.cfg.Portals.Count(c.Request().Context(), d)
	}
	a := answerTo(d.Reason)
	if a.status == http.StatusMethodNotAllowed && c.Response().Header().Get("Allow") == "" {
		c.Response().Header().Set("Allow", http.MethodPost)
	}
	lang := language.Of(c.Request(), sent.value("LANG"))
	text := a.words.in(lang)
	if text.title == "" {
		return c.NoContent(a.status)
	}
	if a.framed || strings.Contains(c.Request().Header.Get("Accept"), "text/html") {
		content := pageContent{Language: lang, Title: text.title, Advice: text.advice}
		if a.framed {
			content.Frame = frameOf(sent)
		}
		return show(c, a.status, content)
	}
	return c.String(a.status, text.plain())
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

// astray tells what Bitrix24, or somebody who set it up, meant for us but sent to an
// address that there is not, or that answers something else. Accepted is anything else.
func (s *Server) astray(c echo.Context, status int) (message, portals.Decision) {
	sent, _ := read(c)
	ours := isOurs(c.Request().URL.Path)
	switch what := sent.what(); {
	case what != portals.Accepted:
		return sent, sent.decision(what, nil)
	case sent.isCallback():
		return sent, sent.decision(portals.WrongAddress,
			fmt.Errorf("posted to %.100q, want %s", c.Request().URL.Path, s.cfg.PublicURL+leads.CallbackPath))
	case ours && status == http.StatusNotFound:
		return sent, sent.decision(portals.UnknownPath, nil)
	case ours:
		return sent, sent.decision(portals.WrongMethod, nil)
	}
	return sent, sent.decision(portals.Accepted, nil)
}

// refusesPost refuses what was posted to a page for load balancers and is none of theirs:
// some of them post, but no event. A 200 would hide that a callback is lost.
func (s *Server) refusesPost(c echo.Context) (refused bool, err error) {
	if c.Request().Method != http.MethodPost {
		return false, nil
	}
	sent, d := s.astray(c, http.StatusOK)
	if d.Reason == portals.Accepted {
		return false, nil
	}
	return true, s.refuse(c, d, sent)
}
