package service

import (
	"context"
	"fmt"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// readyLimit is how long readiness waits for the database.
const readyLimit = 2 * time.Second

// spoolAge is how old the oldest entry may be before readiness reports it although NATS is
// connected.
const spoolAge = 30 * time.Second

// problems reports each failing component with a reason; empty is ready.
func (s *Service) problems(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	problems := map[string]string{}
	report := func(component, reason string) {
		if reason != "" {
			problems[component] = reason
		}
	}
	report("nats", s.natsProblem())
	report("spool", s.spoolProblem())
	portals, err := s.Backend.DB.Portals(ctx)
	if ping := s.Backend.DB.Ping(ctx); ping != nil {
		err = ping
	}
	if err != nil {
		report("database", err.Error())
		return problems
	}
	for _, owned := range s.owners.Statuses() {
		report("callbacks of "+owned.Domain, owned.Problem)
	}
	failing := s.owners.Problems()
	for _, p := range portals {
		report("portal "+p.Domain, failing[p.Domain])
		if p.State == leads.PortalNeedsAuthorization {
			report("portal "+p.Domain, "needs authorization: "+p.Remedy(s.Backend.Config.PublicURL))
		}
	}
	return problems
}

func (s *Service) natsProblem() string {
	b := s.Backend
	if !b.nc.IsConnected() {
		problem := "not connected to " + events.WithoutPassword(b.NATSURL()) + ": callbacks are kept in the spool until it is back"
		if err := b.nc.LastError(); err != nil {
			problem += " (" + err.Error() + ")"
		}
		return problem
	}
	if b.broker != nil {
		if problem := b.broker.Problem(); problem != "" {
			return "does not store messages: callbacks are kept in the spool until the disk has room again (" + problem + ")"
		}
	}
	if s.intake.Avoiding() {
		return "does not store messages: callbacks are kept in the spool (is its disk full? a server that could not write has to be restarted)"
	}
	return ""
}

func (s *Service) spoolProblem() string {
	w := s.intake.Waiting()
	switch {
	case s.intake.Losing():
		return "takes nothing, and neither does NATS: callbacks are LOST (is the disk full?)"
	case s.intake.Full():
		return fmt.Sprintf("full with %d callbacks in %d bytes: callbacks are LOST until NATS and the database are back", w.Entries, w.Bytes)
	case w.Entries > 0 && s.Backend.Config.Now().Sub(w.Oldest) > spoolAge:
		return fmt.Sprintf("%d callbacks wait on disk since %s, %d of %d bytes", w.Entries, w.Oldest.Format(time.RFC3339), w.Bytes, w.Limit)
	default:
		return ""
	}
}
