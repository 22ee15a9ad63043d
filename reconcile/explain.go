package reconcile

import (
	"context"
	"fmt"
	"time"

	"leadsync/leads"
)

// Witness knows what explains findings.
type Witness interface {
	// Incidents are those that were not over before a moment.
	Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error)
	// Waiting tells of which leads a notice is not dealt with yet.
	Waiting(ctx context.Context, ids []int64) (map[int64]bool, error)
	// Heard is when the last callback of each of these leads came; leads of which none
	// came are left out.
	Heard(ctx context.Context, memberID string, ids []int64) (map[int64]time.Time, error)
}

// CauseSilent is the cause where nothing else is known: the portal sent no callback.
const CauseSilent = "no callback seen"

// Causes in words; operators group by them.
const (
	causeAltered        = "the row was altered in the mirror: the portal's card is the one that was written"
	causeRemoved        = "the row was removed from the mirror: an earlier pass had seen the lead"
	causeDenied         = "the portal denies access to it"
	causeHeard          = "a callback came and no write followed: see bitrix_import_lead_error and the dead letters"
	causeUnaskedPhantom = "not in the portal's list; not asked for, because too many are missing at once"
	causeUnaskedDenied  = "not in the portal's list; not asked for, because access to too many is denied"
)

// incidentMargin is how far a change may lie outside an incident: clocks differ, and
// callbacks take a while.
const incidentMargin = time.Minute

// incidentsBack is how old incidents may be that still explain something.
const incidentsBack = 30 * 24 * time.Hour

// summon reads the incidents once for the whole pass.
func (p *Pass) summon(ctx context.Context) (err error) {
	if p.Witness == nil || p.run.Mode == leads.RunImport {
		return nil
	}
	p.incidents, err = p.Witness.Incidents(ctx, p.run.MemberID, p.Now().Add(-incidentsBack))
	return err
}

// lateness marks what events cannot be blamed for yet, and explains the rest.
func (p *Pass) lateness(ctx context.Context, repairs []repair) error {
	if p.run.Mode == leads.RunImport || len(repairs) == 0 {
		return nil
	}
	waiting, heard, err := p.testimony(ctx, repairs)
	if err != nil {
		return err
	}
	for i := range repairs {
		r := &repairs[i]
		changed, known := modified(r.snap)
		altered := r.finding.Cause == causeAltered
		young := known && changed.After(p.Now().Add(p.ahead).Add(-p.Young))
		r.late = waiting[r.finding.Ref.LeadID] || young && !altered
		if r.finding.Cause == "" {
			r.finding.Cause = p.explain(r.finding, changed, known, heard)
		}
	}
	return nil
}

func (p *Pass) testimony(ctx context.Context, repairs []repair) (waiting map[int64]bool, heard map[int64]time.Time, err error) {
	if p.Witness == nil {
		return nil, nil, nil
	}
	ids := make([]int64, len(repairs))
	for i, r := range repairs {
		ids[i] = r.finding.Ref.LeadID
	}
	if waiting, err = p.Witness.Waiting(ctx, ids); err != nil {
		return nil, nil, fmt.Errorf("look for notices that wait: %w", err)
	}
	if heard, err = p.Witness.Heard(ctx, p.run.MemberID, ids); err != nil {
		return nil, nil, fmt.Errorf("look for callbacks: %w", err)
	}
	return waiting, heard, nil
}

// explain is the likely cause of a difference. changed is by the portal's clock.
func (p *Pass) explain(f leads.Finding, changed time.Time, known bool, heard map[int64]time.Time) string {
	if !known {
		return p.explainGone(f, heard)
	}
	if f.Kind == leads.FindingMissed && changed.Before(p.proven) {
		return causeRemoved
	}
	at := changed.Add(-p.ahead) // by our clock
	for _, i := range p.incidents {
		if i.Covers(at, incidentMargin) {
			return incidentWords(i)
		}
	}
	if last, ok := heard[f.Ref.LeadID]; ok && !last.Before(at.Add(-time.Second)) {
		return causeHeard
	}
	return CauseSilent
}

// explainGone is for leads of which nobody knows when they were deleted: any incident
// since the last pass may be the reason.
func (p *Pass) explainGone(f leads.Finding, heard map[int64]time.Time) string {
	for _, i := range p.incidents {
		if i.To.After(p.proven.Add(-p.ahead - incidentMargin)) {
			return "perhaps: " + incidentWords(i)
		}
	}
	if _, ok := heard[f.Ref.LeadID]; ok && f.Kind != leads.FindingPhantom {
		return causeHeard
	}
	return CauseSilent
}

func incidentWords(i leads.Incident) string {
	what := map[leads.IncidentKind]string{
		leads.IncidentDown:    "the service was down",
		leads.IncidentUnbound: "the handlers were not bound in the portal",
		leads.IncidentRefused: "callbacks were refused",
		leads.IncidentSpooled: "callbacks waited in the spool",
		leads.IncidentSilence: "no callbacks came",
	}[i.Kind]
	words := fmt.Sprintf("%s from %s to %s", what, i.From.UTC().Format(time.RFC3339), i.To.UTC().Format(time.RFC3339))
	if i.Detail != "" {
		words += ": " + i.Detail
	}
	return words
}
