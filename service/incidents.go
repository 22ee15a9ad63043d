package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

// incidentEvery is how often the recorder looks whether callbacks were spooled or lost.
const incidentEvery = 30 * time.Second

// incidentRecorder writes down when callbacks went into the spool or were lost:
// reconciliation explains its findings by it. What cannot be written now is written when
// the database is back.
type incidentRecorder struct {
	intake  *events.Intake
	db      *repo.DB
	now     func() time.Time
	began   time.Time // when the process began to take callbacks
	catchUp bool      // passes may be requested
	log     *slog.Logger
}

func (r *incidentRecorder) run(ctx context.Context) error {
	var spooled, lost int64 // what came while database and NATS were opened counts, too
	from := r.began
	for retry.Wait(ctx, incidentEvery) == nil {
		now := r.now()
		for _, i := range []struct {
			kind  leads.IncidentKind
			count int64
			seen  *int64
		}{
			{leads.IncidentSpooled, r.intake.Spooled.Load(), &spooled},
			{leads.IncidentRefused, r.intake.Lost.Load(), &lost},
		} {
			if i.count == *i.seen {
				continue
			}
			err := r.db.AddIncident(ctx, leads.Incident{Kind: i.kind, From: from, To: now, Detail: fmt.Sprintf("%d callbacks of any portal", i.count-*i.seen)})
			if err != nil {
				r.log.WarnContext(ctx, "incident waits to be recorded", "kind", i.kind, "error", err)
				continue
			}
			*i.seen = i.count
			r.catchUpAfter(ctx, i.kind)
		}
		if spooled == r.intake.Spooled.Load() && lost == r.intake.Lost.Load() {
			from = now
		}
	}
	return nil
}

// catchUpAfter requests passes over what was changed, once callbacks were spooled or
// lost. The next pass of the schedule makes up for what fails here.
func (r *incidentRecorder) catchUpAfter(ctx context.Context, kind leads.IncidentKind) {
	if !r.catchUp {
		return
	}
	portals, err := r.db.Portals(ctx)
	for _, p := range portals {
		at, failed := r.db.Watermark(ctx, p.MemberID)
		if failed != nil || at.IsZero() || p.State != leads.PortalActive { // before the import there is nothing to catch up with
			err = errors.Join(err, failed)
			continue
		}
		modes := []leads.RunMode{leads.RunChanged}
		if kind == leads.IncidentRefused {
			modes = append(modes, leads.RunIDs) // some may have been deletions
		}
		for _, mode := range modes {
			_, failed := r.db.RequestRun(ctx, leads.Run{MemberID: p.MemberID, Mode: mode})
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		r.log.WarnContext(ctx, "a pass could not be requested", "after", kind, "error", err)
	}
}
