package leads

import "time"

// IncidentKind is the kind of a problem.
type IncidentKind string

// The kinds of incidents, each a reason why events miss changes.
const (
	IncidentDown    IncidentKind = "down"    // no process served the portal
	IncidentUnbound IncidentKind = "unbound" // our event handlers were not registered in the portal
	IncidentRefused IncidentKind = "refused" // callbacks could not be stored and were rejected
	IncidentSpooled IncidentKind = "spooled" // callbacks waited in the spool
	IncidentSilence IncidentKind = "silence" // leads changed and no callback arrived
)

// Incident is a period with a problem that explains findings.
type Incident struct {
	MemberID string // "" where it concerns every portal
	Kind     IncidentKind
	From, To time.Time
	Detail   string // for people
}

// Covers reports whether a time is within the incident, extended by a margin at both ends
// for clocks that differ.
func (i Incident) Covers(at time.Time, margin time.Duration) bool {
	return !at.Before(i.From.Add(-margin)) && !at.After(i.To.Add(margin))
}
