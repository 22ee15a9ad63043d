package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// bodyLimit is the largest callback that is read, in bytes; real ones have about 1 KB.
const bodyLimit = 64 << 10

// stopLimit is how long requests under way may take after a stop was asked for.
const stopLimit = 3 * time.Second

// Portals keeps the portals and their tokens.
type Portals interface {
	Portal(ctx context.Context, memberID string) (leads.Portal, bool, error)
	Portals(ctx context.Context) ([]leads.Portal, error)
	SavePortal(ctx context.Context, p leads.Portal) error
	// Authorize stores tokens and what they say of their portal, at once. One that is
	// unknown is let in, with onlyFirst only where there is no other; false where not.
	Authorize(ctx context.Context, p leads.Portal, g leads.Grant, onlyFirst bool) (bool, error)
	// LearnToken stores the hash of an application_token where none is known; false where
	// one is.
	LearnToken(ctx context.Context, memberID, tokenHash string) (bool, error)
}

// Config is what the HTTP face works with.
type Config struct {
	Portals Portals
	OAuth   *bitrix24.OAuth
	// Allowed is the list of member ids or domains that may install; empty means the
	// first portal that does, "any" everybody.
	Allowed []string
	// Webhook is the portal that is reached by webhooks instead of an application, nil
	// where there is none. Its MemberID may be unknown: the first callback with its token
	// brings it.
	Webhook *leads.Portal
	// StateKey signs what goes to the portal's log-in and comes back, so that it may come
	// back to another replica; empty is a key that only this process knows.
	StateKey []byte
	// PublicURL is what Bitrix24 and browsers can reach, without a slash at its end.
	PublicURL string

	// Lookup finds leads for the call centre, APIToken lets it ask; "" lets nobody.
	Lookup   Lookup
	APIToken leads.Secret

	// Store returns when an entry is on disk, on its stream or in the spool.
	Store func(context.Context, events.Entry) error
	// Tokens tells callbacks from forgeries while the database is down; nil remembers
	// nothing.
	Tokens *TokenHashes
	// Ready returns what is ill, in words, by the name of the part; empty is well.
	Ready   func(context.Context) map[string]string
	Metrics http.Handler
	Now     func() time.Time
	Log     *slog.Logger
}

// Server is the HTTP face.
type Server struct {
	Config

	Stats *Stats
	echo  *echo.Echo
	known cache
	oauth redirects
	learn learner
}

// New wires the routes.
func New(cfg Config) *Server {
	if cfg.Tokens == nil {
		cfg.Tokens = &TokenHashes{}
	}
	s := &Server{Config: cfg, Stats: &Stats{}, echo: echo.New()}
	s.known.load, s.known.now = cfg.Portals.Portal, cfg.Now
	s.oauth = newRedirects(cfg.StateKey, cfg.Now)
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // Echo trusts X-Forwarded-For from anybody otherwise
	e.HTTPErrorHandler = s.fail
	e.POST("/bitrix24/events", s.callback)
	e.GET("/bitrix24/oauth/start", s.start)
	e.GET("/bitrix24/oauth/callback", s.redirected)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", s.readyz)
	e.GET("/metrics", echo.WrapHandler(cfg.Metrics))
	e.GET("/api/v1/lookup", s.lookup, private, s.bearer)
	e.GET("/api/v1/leads/:member_id/:id", s.lead, private, s.bearer)
	e.GET("/card", s.card, private)
	return s
}

// ServeHTTP lets tests and other servers call the routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers requests on l until the context ends, and returns when those under way
// are answered.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.echo,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
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

// fail answers errors that no handler has answered: without a body of ours for callers
// to learn from, and logged where it is our fault.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		status = he.Code
	}
	if status >= http.StatusInternalServerError {
		s.Log.ErrorContext(c.Request().Context(), "request failed", "path", c.Path(), "error", err)
	}
	if err := c.NoContent(status); err != nil {
		s.Log.DebugContext(c.Request().Context(), "answer not delivered", "error", err)
	}
}

// readyz says which part is ill, in words.
func (s *Server) readyz(c echo.Context) error {
	ill := s.Ready(c.Request().Context())
	if len(ill) == 0 {
		return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
	}
	return c.JSON(http.StatusServiceUnavailable, ill)
}
