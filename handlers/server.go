package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

// Config is what a Server works with.
type Config struct {
	// Portals decides who sent a callback and who may log in.
	Portals *portals.Registry
	// StateKey signs the state of a log-in, so that the browser may come back to another
	// replica; empty is a key that only this process knows.
	StateKey []byte
	// PublicURL is the address that Bitrix24 and browsers can reach, without a slash at its
	// end.
	PublicURL string

	// Calls answers look-ups on this face, too; nil where it does not.
	Calls *CallCentre

	// Store returns when an entry is on disk, on its stream or in the spool.
	Store func(context.Context, events.Entry) error
	Now   func() time.Time
	Log   *slog.Logger
}

// Server is the public face: what Bitrix24 calls, and browsers at a log-in.
type Server struct {
	cfg    Config
	echo   *echo.Echo
	oauth  oauthState
	prefix string // the path of the public address
}

// probes are the methods by which load balancers ask whether a server is well.
var probes = append([]string{http.MethodPost}, looks...)

// New wires the routes.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, echo: newEcho(), oauth: newOAuthState(cfg.StateKey, cfg.Now), prefix: pathOf(cfg.PublicURL)}
	e := s.echo
	e.HTTPErrorHandler = s.fail
	e.Any(leads.CallbackPath, s.callback)
	e.Any(leads.LoginPath, s.start)
	e.Any(leads.RedirectPath, s.finish)
	e.Match(probes, HealthPath, s.healthz)
	if cfg.Calls != nil {
		cfg.Calls.route(e)
	}
	return s
}

// ServeHTTP lets tests and other servers call the routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.echo.ServeHTTP(w, plainPath(r, s.prefix))
}

// Serve answers requests on l until the context ends. It returns when those under way are
// answered, or after stopLimit.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, limited(s), l)
}

// fail answers errors that no handler has answered. Those who do not call what Bitrix24
// calls learn nothing: it sends no body. It logs our own faults. What Bitrix24 sends to a wrong address is counted.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		status = he.Code
	}
	if status >= http.StatusInternalServerError {
		s.cfg.Log.ErrorContext(c.Request().Context(), "request failed", "path", c.Path(), "error", err)
	}
	if err := s.turnAway(c, status); err != nil {
		s.cfg.Log.DebugContext(c.Request().Context(), "answer not delivered", "error", err)
	}
}

// turnAway answers a request for which there is no handler, or whose handler failed.
func (s *Server) turnAway(c echo.Context, status int) error {
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		if sent, d := s.astray(c, status); d.Reason != portals.Accepted {
			return s.refuse(c, d, sent)
		}
	}
	return c.NoContent(status)
}

// healthz answers while the process lives.
func (s *Server) healthz(c echo.Context) error {
	if refused, err := s.refusesPost(c); refused {
		return err
	}
	return c.String(http.StatusOK, "ok\n")
}
