package service

import (
	"leadsync/docs"
	"leadsync/handlers"
	"leadsync/handlers/access"
	"leadsync/handlers/console"
)

// openFaces makes the two faces.
func (s *Service) openFaces(tokens access.Tokens) {
	b := s.Backend
	cfg := b.Config
	calls := &handlers.CallCentre{Lookup: b.DB, PhoneRegion: b.DB.PhoneRegion(), Tokens: tokens, Log: b.Log}
	public := handlers.Config{
		Portals: s.Portals, StateKey: cfg.stateKey(), PublicURL: cfg.PublicURL, Store: s.intake.Take, Now: cfg.Now, Log: b.Log,
	}
	if cfg.Admin.PublicAPI {
		public.Calls = calls
	}
	s.server = handlers.New(public)
	if s.listeners.Admin == nil {
		return
	}
	pages := s.newConsole()
	s.operators = handlers.NewOperators(handlers.OperatorsConfig{
		Guard: access.New(access.Config{
			Tokens: tokens, Local: local(s.listeners.Admin), TrustHeader: cfg.Admin.TrustHeader, Operators: cfg.Admin.Operators,
			Themselves: []string{handlers.HealthPath, handlers.CardPath}, Open: console.Static, Now: cfg.Now, Log: b.Log,
		}),
		Calls: calls, Ready: s.problems, Notes: s.notes, Metrics: metricsHandler(s), Topics: docs.Topics, Console: pages, Stopping: pages.Stop, Log: b.Log,
	})
}
