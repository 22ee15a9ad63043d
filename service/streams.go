package service

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// streamsEvery is how often a running service looks whether NATS still has its streams.
const streamsEvery = 5 * time.Second

// streamKeeper makes streams again that a running service loses: the NATS server came back without its
// data, or somebody removed them. Without it everything waits until somebody restarts leadsync.
type streamKeeper struct {
	bus   *events.Bus
	setUp func(context.Context) error
	lost  func(ctx context.Context, since time.Time) // is told that notices may be gone
	now   func() time.Time
	pause time.Duration // between two looks
	log   *slog.Logger

	seen    time.Time // when the streams were there, all of them
	missing error     // what the last look found; nil where nothing was missing
	tried   bool      // to make them again, which failed: the server may have made them nevertheless
}

// run looks until the context ends.
func (k *streamKeeper) run(ctx context.Context) error {
	k.seen = k.now()
	for retry.Wait(ctx, k.pause) == nil {
		k.look(ctx)
	}
	return nil
}

// look makes what two looks in a row have missed: a server that is starting may not know all of its
// streams yet. What else fails is reported elsewhere, and passes or not without this.
func (k *streamKeeper) look(ctx context.Context) {
	err := events.Look(ctx, k.bus)
	switch before := k.missing; {
	case err == nil:
		if k.tried {
			k.lost(ctx, k.seen)
		}
		k.seen, k.missing, k.tried = k.now(), nil, false
	case !errors.Is(err, events.ErrNoStreams):
	case before == nil:
		k.missing = err
	default:
		if err := k.setUp(ctx); err != nil {
			k.tried = true
			k.log.ErrorContext(ctx, "streams of NATS are gone and cannot be made again, trying again", "missing", before, "error", err)
			return
		}
		k.log.ErrorContext(ctx, "streams of NATS were gone and are made again; callbacks that only they had are lost, so leadsync compares leads with the portal; `leadsync republish` fills the topic", "missing", before)
		k.lost(ctx, k.seen)
		k.missing, k.tried = nil, false
	}
}

// lostStreams writes down that callbacks may be gone which NATS had taken, so that passes look for what
// they changed.
func (r *incidentRecorder) lostStreams(ctx context.Context, since time.Time) {
	incident := leads.Incident{Kind: leads.IncidentRefused, From: since, To: r.now(), Detail: "NATS lost its streams, and the callbacks in them"}
	if err := r.db.AddIncident(ctx, incident); err != nil {
		r.log.WarnContext(ctx, "incident could not be recorded: the next pass finds what callbacks had changed", "kind", incident.Kind, "error", err)
	}
	r.catchUpAfter(ctx, incident.Kind)
}
