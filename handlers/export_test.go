package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/portals"
)

// Answers tells whether a reason is in the table.
func Answers(reason portals.Reason) bool {
	_, ok := answers[reason]
	return ok
}

// StatusOf is the HTTP status for a reason.
func StatusOf(reason portals.Reason) int { return answerTo(reason).status }

// PlainOf is what is said for a reason to who is no browser; "" is nothing.
func PlainOf(reason portals.Reason) string {
	if a := answerTo(reason); a.words.title != "" {
		return a.words.plain()
	}
	return ""
}

// Fails adds a path whose handler fails.
func (s *Server) Fails(path string, err error) {
	s.echo.GET(path, func(echo.Context) error { return err })
}

// Limits are the times within which a connection has to do something.
func Limits() []time.Duration {
	l := limited(http.NotFoundHandler())
	return []time.Duration{l.ReadHeaderTimeout, l.ReadTimeout, l.WriteTimeout, l.IdleTimeout}
}
