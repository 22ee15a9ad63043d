package service

import (
	"context"
	"log/slog"
	"net"

	"leadsync/docs"
	"leadsync/guide"
	"leadsync/handlers"
	"leadsync/handlers/access"
	"leadsync/handlers/console"
)

// openFaces makes the two faces.
func (s *Service) openFaces(tokens access.Tokens) {
	b := s.Backend
	cfg := b.Config
	public := handlers.Config{
		Portals: s.Portals, StateKey: cfg.stateKey(), PublicURL: cfg.PublicURL, Store: s.intake.Take, Now: cfg.Now, Log: b.Log,
	}
	if cfg.Admin.PublicAPI {
		public.Calls = s.callCentre(access.NewJudge(access.Tokens{Card: tokens.Card, Read: tokens.Read}, cfg.Now, b.Log))
	}
	s.server = handlers.New(public)
	if s.listeners.Admin == nil {
		return
	}
	pages, judge := s.newConsole(), access.NewJudge(tokens, cfg.Now, b.Log)
	s.operators = handlers.NewOperators(handlers.OperatorsConfig{
		Guard: newGuard(cfg, judge, s.listeners.Admin, b.Log),
		Calls: s.callCentre(judge), Ready: func(ctx context.Context) map[string]string { return guide.Explained(s.ready.problems(ctx)) }, Notes: s.ready.notes, Metrics: metricsHandler(s), Topics: docs.Topics, Console: pages, Stopping: pages.Stop, Log: b.Log,
	})
}

func (s *Service) callCentre(judge *access.Judge) *handlers.CallCentre {
	db := s.Backend.DB
	return &handlers.CallCentre{Lookup: db, PhoneRegion: db.PhoneRegion(), Judge: judge, Log: s.Backend.Log}
}

// newGuard guards the operators' face at an address.
func newGuard(cfg Config, judge *access.Judge, at net.Listener, log *slog.Logger) *access.Guard {
	if !local(at) {
		log.Warn("operators' address is plain http beyond this machine: tokens can be read on their way, unless a proxy in front of it speaks https", "address", addressOf(at))
	}
	return access.New(access.Config{
		Judge: judge, Local: local(at) && !cfg.Admin.LocalToken, TrustHeader: cfg.Admin.TrustHeader, Operators: cfg.Admin.Operators,
		Themselves: []string{handlers.HealthPath, handlers.CardPath}, Open: console.Static, Now: cfg.Now,
	})
}
