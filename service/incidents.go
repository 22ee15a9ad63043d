package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/owner"
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
	journal *journal.Journal
	log     *slog.Logger
}

// run looks until the context ends, and once more then.
func (r *incidentRecorder) run(ctx context.Context) error {
	var done recorded // what came while database and NATS were opened counts, too
	done.until = r.began
	for retry.Wait(ctx, incidentEvery) == nil {
		r.record(ctx, &done)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	r.record(last, &done)
	return nil
}

// recorded is what an incidentRecorder has written down.
type recorded struct {
	spooled, lost int64
	until         time.Time
}

// record writes down what was spooled and lost since done.until.
func (r *incidentRecorder) record(ctx context.Context, done *recorded) {
	now := r.now()
	for _, i := range []struct {
		kind  leads.IncidentKind
		count int64
		done  *int64
	}{
		{leads.IncidentSpooled, r.intake.Spooled.Load(), &done.spooled},
		{leads.IncidentRefused, r.intake.Lost.Load(), &done.lost},
	} {
		if i.count == *i.done {
			continue
		}
		incident := leads.Incident{Kind: i.kind, From: done.until, To: now, Detail: fmt.Sprintf("%d callbacks of any portal", i.count-*i.done)}
		err := r.db.AddIncident(ctx, incident)
		if err != nil {
			r.log.WarnContext(ctx, "incident waits to be recorded", "kind", i.kind, "error", err)
			continue
		}
		r.journal.Add(owner.OutageEntry(incident))
		*i.done = i.count
		r.catchUpAfter(ctx, i.kind)
	}
	if done.spooled == r.intake.Spooled.Load() && done.lost == r.intake.Lost.Load() {
		done.until = now
	}
}

// catchUpAfter requests passes over what was changed, once callbacks were spooled or
// lost. The next pass of the schedule makes up for what fails here.
func (r *incidentRecorder) catchUpAfter(ctx context.Context, kind leads.IncidentKind) {
	if !r.catchUp {
		return
	}
	portals, err := r.db.Portals(ctx)
	for _, p := range portals {
		mark, failed := r.db.Watermark(ctx, p.MemberID)
		if failed != nil || mark.At.IsZero() || p.State != leads.PortalActive { // before the import there is nothing to catch up with
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
