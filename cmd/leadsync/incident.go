package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// incidentEvery is how often it is looked up whether callbacks were kept aside or lost.
const incidentEvery = 30 * time.Second

// incidents writes down when callbacks went into the spool or were lost: reconciliation
// explains by it what it finds. What cannot be written now is written when the database
// is back.
func (s *service) incidents(ctx context.Context) error {
	spooled, lost, from := s.intake.Spooled.Load(), s.intake.Lost.Load(), s.cfg.now()
	for pauseFor(ctx, incidentEvery) == nil {
		now := s.cfg.now()
		for _, i := range []struct {
			kind  leads.IncidentKind
			count int64
			seen  *int64
		}{
			{leads.IncidentSpooled, s.intake.Spooled.Load(), &spooled},
			{leads.IncidentRefused, s.intake.Lost.Load(), &lost},
		} {
			if i.count == *i.seen {
				continue
			}
			err := s.db.AddIncident(ctx, leads.Incident{Kind: i.kind, From: from, To: now, Detail: fmt.Sprintf("%d callbacks of any portal", i.count-*i.seen)})
			if err != nil {
				s.log.WarnContext(ctx, "incident waits to be recorded", "kind", i.kind, "error", err)
				continue
			}
			*i.seen = i.count
			s.catchUpAfter(ctx, i.kind)
		}
		if spooled == s.intake.Spooled.Load() && lost == s.intake.Lost.Load() {
			from = now
		}
	}
	return nil
}

// catchUpAfter requests passes over what was changed, once callbacks had to be kept aside
// or were lost. Whatever fails here is made up for by the next pass of the schedule.
func (s *service) catchUpAfter(ctx context.Context, kind leads.IncidentKind) {
	if s.cfg.catchUp <= 0 {
		return
	}
	portals, err := s.db.Portals(ctx)
	for _, p := range portals {
		at, failed := s.db.Watermark(ctx, p.MemberID)
		if failed != nil || at.IsZero() || p.State != leads.PortalActive { // before the import there is nothing to catch up with
			err = errors.Join(err, failed)
			continue
		}
		modes := []leads.RunMode{leads.RunChanged}
		if kind == leads.IncidentRefused {
			modes = append(modes, leads.RunIDs) // some may have been deletions
		}
		for _, mode := range modes {
			_, failed := s.db.RequestRun(ctx, leads.Run{MemberID: p.MemberID, Mode: mode})
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "a pass is not requested", "after", kind, "error", err)
	}
}
