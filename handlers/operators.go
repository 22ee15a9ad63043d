package handlers

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	"leadsync/handlers/access"
)

// OperatorsConfig is what the operators' face works with.
type OperatorsConfig struct {
	// Guard decides who may do what.
	Guard *access.Guard
	Calls *CallCentre
	// Ready returns the problems by the name of the component, in words; empty is ready.
	Ready func(context.Context) map[string]string
	// Notes returns what people should know and is no problem, in the same way; nil is none.
	Notes   func() map[string]string
	Metrics http.Handler
	// Topics is the description of what travels on NATS: asyncapi.yaml and its schemas; nil is none.
	Topics fs.FS
	// Console has the pages; nil is none.
	Console http.Handler
	// Stopping is called at a stop, before requests under way are waited for: answers that
	// never end by themselves end then. nil is nothing.
	Stopping func()
	Log      *slog.Logger
}

// Operators is the operators' face: the pages, the look-ups, readiness and metrics.
type Operators struct {
	cfg     OperatorsConfig
	echo    *echo.Echo
	handler http.Handler
}

// Paths of the operators' face that its guard treats in a way of their own: health says
// nothing, and a card has a token of its own.
const (
	HealthPath = "/healthz"
	CardPath   = "/card"
)

// looks are the methods that change nothing.
var looks = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// NewOperators wires the routes.
func NewOperators(cfg OperatorsConfig) *Operators {
	o := &Operators{cfg: cfg, echo: newEcho()}
	e := o.echo
	e.HTTPErrorHandler = o.fail
	e.Match(looks, HealthPath, func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.Match(looks, "/readyz", o.readyz)
	e.GET("/metrics", echo.WrapHandler(cfg.Metrics))
	cfg.Calls.route(e)
	if cfg.Topics != nil {
		topics := echo.WrapHandler(http.FileServerFS(cfg.Topics))
		e.GET("/asyncapi.yaml", topics)
		e.GET("/schemas/*", topics)
	}
	mux := http.NewServeMux()
	for _, path := range []string{HealthPath, "/readyz", "/metrics", "/api/", CardPath, "/asyncapi.yaml", "/schemas/"} {
		mux.Handle(path, e)
	}
	if cfg.Console != nil {
		mux.Handle("/", cfg.Console)
	}
	o.handler = cfg.Guard.Wrap(mux)
	return o
}

// ServeHTTP lets tests and other servers call the routes.
func (o *Operators) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.handler.ServeHTTP(w, r) }

// Serve answers requests on l until the context ends. It returns when those under way are
// answered, or after stopLimit.
func (o *Operators) Serve(ctx context.Context, l net.Listener) error {
	server := limited(o)
	if o.cfg.Stopping != nil {
		server.RegisterOnShutdown(o.cfg.Stopping)
	}
	return serve(ctx, server, l)
}

// fail answers errors that no handler has answered, without a body, and logs our own faults.
func (o *Operators) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status := http.StatusInternalServerError
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		status = he.Code
	}
	if status >= http.StatusInternalServerError {
		o.cfg.Log.ErrorContext(c.Request().Context(), "request failed", "path", c.Path(), "error", err)
	}
	if err := c.NoContent(status); err != nil {
		o.cfg.Log.DebugContext(c.Request().Context(), "answer not delivered", "error", err)
	}
}

// readyz reports each failing component with a reason.
func (o *Operators) readyz(c echo.Context) error {
	problems := o.cfg.Ready(c.Request().Context())
	if len(problems) > 0 {
		return c.JSON(http.StatusServiceUnavailable, problems)
	}
	answer := map[string]string{"status": "ready"}
	if o.cfg.Notes != nil {
		maps.Copy(answer, o.cfg.Notes())
	}
	return c.JSON(http.StatusOK, answer)
}
