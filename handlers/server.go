package handlers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

// stopLimit is how long requests under way may take after a stop.
const stopLimit = 3 * time.Second

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

	// Lookup finds leads for the call centre.
	Lookup Lookup
	// PhoneRegion is the country of callers' numbers without a country code.
	PhoneRegion string
	// APIToken is the bearer token of the look-up; with "" every look-up is refused.
	APIToken leads.Secret

	// Store returns when an entry is on disk, on its stream or in the spool.
	Store func(context.Context, events.Entry) error
	// Ready returns the problems by the name of the component, in words; empty is ready.
	Ready func(context.Context) map[string]string
	// Notes returns what people should know and is no problem, in the same way; nil is none.
	Notes   func() map[string]string
	Metrics http.Handler
	// Topics is the description of what travels on NATS: asyncapi.yaml and its schemas; nil is none.
	Topics fs.FS
	Now    func() time.Time
	Log    *slog.Logger
}

// Server answers HTTP requests.
type Server struct {
	cfg    Config
	echo   *echo.Echo
	oauth  oauthState
	prefix string // the path of the public address
}

// probes are the methods by which load balancers ask whether a server is well.
var probes = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost}

// New wires the routes.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, echo: echo.New(), oauth: newOAuthState(cfg.StateKey, cfg.Now), prefix: pathOf(cfg.PublicURL)}
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // Echo trusts X-Forwarded-For from anybody otherwise
	e.HTTPErrorHandler = s.fail
	e.Any(leads.CallbackPath, s.callback)
	e.Any(leads.LoginPath, s.start)
	e.Any(leads.RedirectPath, s.finish)
	e.Match(probes, "/healthz", s.healthz)
	e.Match(probes, "/readyz", s.readyz)
	e.GET("/metrics", echo.WrapHandler(cfg.Metrics))
	calls := &callCentre{found: cfg.Lookup, region: cfg.PhoneRegion, token: cfg.APIToken, log: cfg.Log}
	calls.route(e)
	if cfg.Topics != nil {
		topics := echo.WrapHandler(http.FileServerFS(cfg.Topics))
		e.GET("/asyncapi.yaml", topics)
		e.GET("/schemas/*", topics)
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
	server := s.limited()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return fmt.Errorf("stop HTTP: %w", errors.Join(err, server.Close()))
	}
	return nil
}

// limited is the HTTP server. Whoever connects and says nothing, or says it slowly, does not
// hold a connection for long.
func (s *Server) limited() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// fail answers errors that no handler has answered. It sends no body, so that callers learn
// nothing, and logs our own faults. What Bitrix24 sends to a wrong address is counted.
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

// readyz reports each failing component with a reason.
func (s *Server) readyz(c echo.Context) error {
	if refused, err := s.refusesPost(c); refused {
		return err
	}
	problems := s.cfg.Ready(c.Request().Context())
	if len(problems) > 0 {
		return c.JSON(http.StatusServiceUnavailable, problems)
	}
	answer := map[string]string{"status": "ready"}
	if s.cfg.Notes != nil {
		maps.Copy(answer, s.cfg.Notes())
	}
	return c.JSON(http.StatusOK, answer)
}
