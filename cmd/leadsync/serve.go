package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"leadsync/events"
)

type serveCmd struct{}

// Run serves until it is told to stop.
func (serveCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	cfg.patient = true
	return serve(ctx, cfg, newLog(a.stderr, cfg))
}

// gcPercent has Go collect garbage more often than by default: a pass holds 2,500 cards at
// a time, and it halves what lies about beside them for a few percent of its time.
const gcPercent = 50

// serve is the service with a configuration of any origin.
func serve(ctx context.Context, cfg config, log *slog.Logger) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	b, err := openBase(ctx, cfg, log, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := newService(ctx, b)
	if err != nil {
		return err
	}
	if err := b.data.announce(b.natsURL(), b.serviceToken, b.cfg.natsToken, s.address()); err != nil {
		return err
	}
	s.warn(ctx)
	log.InfoContext(ctx, "leadsync serves", "http", s.address(), "nats", events.WithoutPassword(b.natsURL()), "database", b.db.Dialect(), "data", cfg.dataDir,
		"api_token", b.apiTokenPlace())
	return s.run(ctx)
}

// warn says what in the configuration will not do in the long run.
func (s *service) warn(ctx context.Context) {
	switch {
	case s.cfg.publicURL == "" && s.cfg.webhookURL == "":
		s.log.WarnContext(ctx, "LEADSYNC_PUBLIC_URL is not set: events of portals cannot be bound")
	case len(s.cfg.publicURL) > 5 && s.cfg.publicURL[:5] == "http:":
		s.log.WarnContext(ctx, "LEADSYNC_PUBLIC_URL is plain http: tokens in callbacks can be read on their way")
	}
	if s.cfg.secretKey == nil {
		s.log.WarnContext(ctx, "LEADSYNC_SECRET_KEY is not set: tokens are stored as plain text")
	}
}
