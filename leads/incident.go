package leads

import "time"

// IncidentKind says what was wrong.
type IncidentKind string

// The kinds of incidents: what makes events miss changes.
const (
	IncidentDown    IncidentKind = "down"    // nobody served the portal
	IncidentUnbound IncidentKind = "unbound" // the portal had lost our handlers
	IncidentRefused IncidentKind = "refused" // callbacks could not be kept and were refused
	IncidentSpooled IncidentKind = "spooled" // callbacks waited in the spool
	IncidentSilence IncidentKind = "silence" // changes were made and no callback came
)

// Incident is a time in which something was wrong that explains findings.
type Incident struct {
	MemberID string // "" concerns every portal
	Kind     IncidentKind
	From, To time.Time
	Detail   string
}

// Covers tells whether a moment lies in the incident, give or take a margin for clocks
// that differ.
func (i Incident) Covers(at time.Time, margin time.Duration) bool {
	return !at.Before(i.From.Add(-margin)) && !at.After(i.To.Add(margin))
}
