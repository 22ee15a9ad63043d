package reconcile

import (
	"context"
	"fmt"
	"time"

	"leadsync/leads"
)

// Evidence is what leadsync knows beside the portal and the mirror, and explains findings
// with.
type Evidence interface {
	// Incidents returns those that had not ended before a moment.
	Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error)
	// PendingNotices tells which of these leads have a notice that waits or is being worked on.
	PendingNotices(ctx context.Context, ids []int64) (map[int64]bool, error)
	// LastCallbacks returns when the last callback of each of these leads came, by our clock;
	// it leaves out leads without one.
	LastCallbacks(ctx context.Context, memberID string, ids []int64) (map[int64]time.Time, error)
}

// CauseSilent is the cause where nothing else is known: the portal sent no callback.
const CauseSilent = "no callback seen"

// The other causes; operators group by them.
const (
	causeAdopted        = "the row comes from the database that was taken over: leadsync had not read the lead before"
	causeAltered        = "the row was altered in the mirror: the portal's card is the one that was written"
	causeRemoved        = "the mirror has no row although the lead is older than the last pass: somebody removed the row, or the portal did not show the lead to leadsync before"
	causeDenied         = "the portal denies access to it"
	causeNoWrite        = "a callback came and no write followed: see bitrix_import_lead_error and the dead letters"
	causeUnaskedPhantom = "not in the portal's list; not asked for, because too many are missing at once"
	causeUnaskedDenied  = "not in the portal's list; not asked for, because access to too many is denied"
)

// incidentMargin is how far a change may lie outside an incident: clocks differ, and
// callbacks take a while.
const incidentMargin = time.Minute

// incidentsBack is how old incidents may be that still explain something.
const incidentsBack = 30 * 24 * time.Hour

// explainer finds the likely causes of differences. To an import every lead is missing,
// and it explains nothing.
type explainer struct {
	memberID string
	mode     leads.RunMode
	evidence Evidence // may be nil
	minAge   time.Duration
	now      func() time.Time

	// The mirror had what was changed before the watermark, which is by the portal's clock.
	watermark leads.Watermark
	ahead     time.Duration // of the portal's clock before ours
	incidents []leads.Incident
}

// setBack is by how much the portal's clock was set back since the watermark, given what it
// shows now; 0 where ours has not gone further.
func (e *explainer) setBack(at time.Time) time.Duration {
	return max(0, e.now().Sub(e.watermark.Began)-at.Sub(e.watermark.At))
}

// loadIncidents reads the incidents once for the whole pass.
func (e *explainer) loadIncidents(ctx context.Context) (err error) {
	if e.evidence == nil || e.mode == leads.RunImport {
		return nil
	}
	e.incidents, err = e.evidence.Incidents(ctx, e.memberID, e.now().Add(-incidentsBack))
	return err
}

// explain marks repairs that events may still bring as late, and adds causes to the
// findings that lack one.
func (e *explainer) explain(ctx context.Context, repairs []Repair) error {
	if e.mode == leads.RunImport || len(repairs) == 0 {
		return nil
	}
	pending, callbacks, err := e.askEvidence(ctx, repairs)
	if err != nil {
		return err
	}
	for i := range repairs {
		r := &repairs[i]
		changed, known := changedAt(r.Snapshot)
		recent := known && changed.After(e.now().Add(e.ahead).Add(-e.minAge))
		r.Late = pending[r.Finding.Ref.LeadID] || recent && r.Finding.Cause != causeAltered
		switch {
		case r.Finding.Cause != "":
		case known:
			if r.Finding.Cause = e.causeOfChange(r.Finding, changed, callbacks); r.Finding.Cause == causeRemoved {
				r.Finding.Behind = 0 // nobody knows when the row was removed
			}
		default:
			r.Finding.Cause = e.causeOfAbsence(r.Finding, callbacks)
		}
	}
	return nil
}

func (e *explainer) askEvidence(ctx context.Context, repairs []Repair) (pending map[int64]bool, callbacks map[int64]time.Time, err error) {
	if e.evidence == nil {
		return nil, nil, nil
	}
	ids := make([]int64, len(repairs))
	for i, r := range repairs {
		ids[i] = r.Finding.Ref.LeadID
	}
	if pending, err = e.evidence.PendingNotices(ctx, ids); err != nil {
		return nil, nil, fmt.Errorf("look for pending notices: %w", err)
	}
	if callbacks, err = e.evidence.LastCallbacks(ctx, e.memberID, ids); err != nil {
		return nil, nil, fmt.Errorf("look for callbacks: %w", err)
	}
	return pending, callbacks, nil
}

// causeOfChange is why a change did not reach the mirror. changed is by the portal's clock.
func (e *explainer) causeOfChange(f leads.Finding, changed time.Time, callbacks map[int64]time.Time) string {
	if f.Kind == leads.FindingMissed && changed.Before(e.watermark.At) {
		return causeRemoved
	}
	at := changed.Add(-e.ahead) // by our clock
	for _, i := range e.incidents {
		if i.Covers(at, incidentMargin) {
			return describe(i)
		}
	}
	if last, ok := callbacks[f.Ref.LeadID]; ok && !last.Before(at.Add(-time.Second)) {
		return causeNoWrite
	}
	return CauseSilent
}

// causeOfAbsence is for leads without a card. Nobody knows when such a lead was deleted:
// any incident since the last pass may be the reason.
func (e *explainer) causeOfAbsence(f leads.Finding, callbacks map[int64]time.Time) string {
	for _, i := range e.incidents {
		if i.To.After(e.watermark.At.Add(-e.ahead - incidentMargin)) {
			return "perhaps: " + describe(i)
		}
	}
	if _, ok := callbacks[f.Ref.LeadID]; ok && f.Kind != leads.FindingPhantom {
		return causeNoWrite
	}
	return CauseSilent
}

// describe is an incident as a cause.
func describe(i leads.Incident) string {
	what := map[leads.IncidentKind]string{
		leads.IncidentDown:    "the service was down",
		leads.IncidentUnbound: "the handlers were not bound in the portal",
		leads.IncidentRefused: "callbacks were refused",
		leads.IncidentSpooled: "callbacks waited in the spool",
		leads.IncidentSilence: "no callbacks came",
	}[i.Kind]
	text := fmt.Sprintf("%s from %s to %s", what, i.From.UTC().Format(time.RFC3339), i.To.UTC().Format(time.RFC3339))
	if i.Detail != "" {
		text += ": " + i.Detail
	}
	return text
}
