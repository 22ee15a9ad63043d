package journal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadsync/leads"
)

// Known is what a timeline is made of: the journal, and what the database knows.
type Known struct {
	Portal leads.Portal
	Now    time.Time
	Since  time.Time // how far back to tell
	Kept   time.Time // since when the database keeps Incidents; they may be older than Since
	Most   int       // moments to tell of, the newest; 0 is all

	Journal Record
	// NoJournal says why no journal could be asked; "" where one was.
	NoJournal string
	Row       *leads.Row // nil where the mirror has none
	NoRow     bool       // the row could not be asked for
	Changes   []leads.Revised
	Findings  []leads.Finding
	Failing   *leads.Failing // nil where nothing fails
	Incidents []leads.Incident
	Callback  *leads.LastCallback
	Pass      leads.Run // the last that looked at all leads; zero where none did
	Status    leads.MirrorStatus
	// Below and Above are the neighbours of a lead that the mirror lacks.
	Below, Above leads.Neighbour

	lacking []Part
	notes   []string
}

// Part is a part of what is known that the database was asked for.
type Part string

// The parts.
const (
	PartRow      Part = "the row"
	PartChanges  Part = "the history of changes"
	PartFindings Part = "findings of passes"
	PartFailures Part = "failures"
	PartOutages  Part = "outages"
	PartCallback Part = "the last callback"
	PartPasses   Part = "passes"
	PartStatus   Part = "the mirror's status"
)

// Note adds what could not be found out.
func (k *Known) Note(note string) { k.notes = append(k.notes, note) }

// Lack says that a part could not be found out, so that nothing is denied of it, and why.
func (k *Known) Lack(part Part, why string) {
	k.lacking = append(k.lacking, part)
	k.Note(string(part) + ": " + why)
}

func (k *Known) lacks(part Part) bool { return slices.Contains(k.lacking, part) }

// Timeline is what happened to a lead. Its JSON form is that of leadsync why --json.
type Timeline struct {
	Portal   string    `json:"portal"` // host
	MemberID string    `json:"member_id"`
	LeadID   int64     `json:"lead_id"`
	Since    time.Time `json:"since"`
	// Answer says in a few sentences how the lead stands, and why.
	Answer  []string `json:"answer"`
	Moments []Moment `json:"moments"`
	Omitted int      `json:"omitted,omitempty"` // earlier moments that are left out
	Notes   []string `json:"notes,omitempty"`   // what could not be found out
}

// Moment is one thing that happened.
type Moment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // callback, spool, read, row, topic, pass, failure, replay, refused, outage, status, journal
	Text string    `json:"text"`
	// Whole says that it is about the portal as a whole.
	Whole    bool                `json:"whole_portal,omitempty"`
	Source   string              `json:"source"` // journal, database or both
	Revision int64               `json:"revision,omitempty"`
	Sequence uint64              `json:"sequence,omitempty"`
	Cause    string              `json:"cause,omitempty"`
	Lag      float64             `json:"lag_seconds,omitempty"` // since the callback came
	Fields   []leads.FieldChange `json:"fields,omitempty"`
}

const (
	fromJournal  = "journal"
	fromDatabase = "database"
	fromBoth     = "both"
)

// Assemble makes the timeline of a lead, in the order of time.
func Assemble(ref leads.Ref, known Known) Timeline {
	t := Timeline{Portal: known.Portal.Domain, MemberID: ref.MemberID, LeadID: ref.LeadID, Since: known.Since, Notes: known.notes}
	a := assembly{ref: ref, known: &known, notices: noticesOf(known.Journal.Entries)}
	a.addEntries()
	a.addChanges()
	a.addFindings()
	a.addRest()
	slices.SortStableFunc(a.moments, func(x, y Moment) int {
		return cmp.Or(x.At.Truncate(time.Millisecond).Compare(y.At.Truncate(time.Millisecond)), cmp.Compare(x.order(), y.order()))
	})
	t.Answer = a.answer()
	t.Moments, t.Omitted = newestMoments(a.moments, known.Most)
	t.Notes = append(t.Notes, a.notes()...)
	if t.Omitted > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("only the newest %s; left out: %d earlier", count(int64(known.Most), "moment"), t.Omitted))
	}
	return t
}

// newestMoments leaves out the oldest moments, those of refused callbacks first: anybody can cause
// them. The moments are never null in JSON.
func newestMoments(moments []Moment, most int) (left []Moment, omitted int) {
	if most > 0 {
		omitted = max(0, len(moments)-most)
	}
	refused := 0
	for i := range moments {
		if moments[i].What == "refused" {
			refused++
		}
	}
	refused = min(refused, omitted)
	rest := omitted - refused
	left = make([]Moment, 0, len(moments)-omitted)
	for _, m := range moments {
		switch {
		case m.What == "refused" && refused > 0:
			refused--
		case m.What != "refused" && rest > 0:
			rest--
		default:
			left = append(left, m)
		}
	}
	return left, omitted
}

// order is that of the way of a change, for moments of the same millisecond.
func (m Moment) order() int {
	return slices.Index([]string{"outage", "status", "callback", "spool", "refused", "replay", "read", "row", "topic", "pass"}, m.What)
}

// assembly is a timeline in the making.
type assembly struct {
	ref     leads.Ref
	known   *Known
	notices notices
	moments []Moment
}

// addEntries adds what the journal has, but what the database knows better.
func (a *assembly) addEntries() {
	for _, e := range merged(a.known.Journal.Entries) {
		if e.Kind == Found && a.hasFinding(e) || e.Kind == Outage && a.hasIncident(e) {
			continue
		}
		m := a.moment(e)
		m.At, m.Source, m.Whole, m.Revision, m.Sequence = e.At, fromJournal, e.LeadID == 0, e.Revision, e.Sequence
		m.Cause = e.Cause
		a.moments = append(a.moments, m)
	}
}

// merged are the entries, but for refusals for one reason with nothing else between them: those are
// one entry.
func merged(entries []Entry) []*Entry {
	type about struct {
		reason string
		lead   int64
	}
	list, last := make([]*Entry, 0, len(entries)), map[about]*Entry{}
	for i := range entries {
		e := &entries[i]
		if e.Kind != Refused {
			clear(last)
			list = append(list, e)
			continue
		}
		of := about{e.Word, e.LeadID}
		before, ok := last[of]
		if !ok {
			before = &Entry{Kind: Refused, MemberID: e.MemberID, LeadID: e.LeadID, Word: e.Word, Since: e.first()}
			last[of], list = before, append(list, before)
		}
		before.At = e.At
		before.Count += max(1, e.Count)
	}
	return list
}

func (a *assembly) hasFinding(e *Entry) bool {
	return slices.ContainsFunc(a.known.Findings, func(f leads.Finding) bool {
		return string(f.Kind) == e.Word && f.FoundAt.Sub(e.At).Abs() < time.Second
	})
}

func (a *assembly) hasIncident(e *Entry) bool {
	return slices.ContainsFunc(a.known.Incidents, func(i leads.Incident) bool {
		return string(i.Kind) == e.Word && i.From.Sub(e.Since).Abs() < time.Second
	})
}

// moment puts an entry in words.
func (a *assembly) moment(e *Entry) Moment {
	switch e.Kind {
	case Received, Spooled, Drained, Forged, Refused, Lost:
		return a.callback(e)
	case Read:
		return Moment{What: "read", Lag: lag(e), Text: read(e)}
	case Wrote:
		return Moment{What: "row", Text: wrote(leads.Cause(e.Cause), e.Word, e.Revision, leads.FieldChanges(e.Fields)) + inBatch(e.Took), Fields: leads.FieldChanges(e.Fields)}
	case Published:
		return Moment{What: "topic", Text: fmt.Sprintf("revision %d was announced to subscribers, sequence %d", e.Revision, e.Sequence)}
	case Found:
		return Moment{What: "pass", Text: found(leads.FindingKind(e.Word), e.Fields, e.Event, "", e.Took)}
	case Failure:
		return Moment{What: "failure", Text: fmt.Sprintf("the lead could not be written, attempt %d; it is tried again", e.Count)}
	case Parked:
		return Moment{What: "failure", Text: fmt.Sprintf("the lead could not be written, attempt %d; leadsync gave it up: it is a dead letter", e.Count)}
	case Replayed:
		return Moment{What: "replay", Text: "somebody had the lead read again"}
	case Status:
		return Moment{What: "status", Text: "the mirror is " + e.Word + reason(e.Text)}
	case Outage:
		return Moment{What: "outage", Text: outage(leads.IncidentKind(e.Word), e.Since, e.At, e.Text)}
	case Troubled:
		return Moment{What: "failure", Text: count(e.Count, "notice") + " of the portal could not be read or written: each comes again" + reason(e.Text)}
	case Gap:
		return Moment{What: "journal", Text: fmt.Sprintf("the journal could not be written since %s; missing: %s of any lead", clock(e.Since), count(e.Count, "step"))}
	default:
		return Moment{What: "journal", Text: fmt.Sprintf("an entry of kind %d, which this version does not know", e.Kind)}
	}
}

// callback tells what became of a callback.
func (a *assembly) callback(e *Entry) Moment {
	event := cmp.Or(e.Event, "of unknown kind")
	if e.Cause == string(leads.CauseOffline) {
		event += " from the portal's own queue"
	}
	switch e.Kind {
	case Received:
		return Moment{What: "callback", Text: fmt.Sprintf("event %s arrived and was stored as notice %d%s", event, e.Sequence, within(e.Took)) + a.notices.fate(e)}
	case Spooled:
		text := fmt.Sprintf("event %s arrived and was kept on disk, because NATS did not take it", event)
		if e.Word == Unverified {
			text = fmt.Sprintf("event %s arrived and was kept on disk, because nobody could say yet whether it is genuine", event)
		}
		return Moment{What: "spool", Text: text}
	case Drained:
		text := "left the disk"
		if e.Word == Unverified {
			text = "was found genuine, left the disk"
		}
		return Moment{What: "spool", Lag: lag(e), Text: fmt.Sprintf("the event of %s %s and was stored as notice %d", clock(e.Since), text, e.Sequence) + a.notices.fate(e)}
	case Forged:
		return Moment{What: "refused", Text: fmt.Sprintf("the event of %s was not genuine and was dropped", clock(e.Since))}
	case Lost:
		return Moment{What: "refused", Text: fmt.Sprintf("event %s arrived and could be kept nowhere: it is lost", event)}
	default:
		return Moment{What: "refused", Text: refused(e)}
	}
}

// addChanges adds the history of changes: to what the journal has of the same revision, or as
// moments of their own.
func (a *assembly) addChanges() {
	for _, c := range a.known.Changes {
		if c.At.Before(a.known.Since) {
			continue
		}
		i := slices.IndexFunc(a.moments, func(m Moment) bool { return m.What == "row" && m.Revision == c.Revision && changing(m.Text) })
		if i >= 0 {
			a.moments[i].Source, a.moments[i].Fields = fromBoth, c.Fields
			continue
		}
		verdict := map[leads.ChangeKind]string{leads.Added: "inserted", leads.Changed: "updated", leads.RemovedKind: "deleted"}[c.Kind]
		a.moments = append(a.moments, Moment{
			At: c.At, What: "row", Source: fromDatabase, Revision: c.Revision, Cause: string(c.Cause), Fields: c.Fields,
			Text: wrote(c.Cause, verdict, c.Revision, c.Fields),
		})
	}
}

// changing tells a moment in which the row changed from one that left it as it was.
func changing(text string) bool {
	return strings.HasPrefix(text, rowInserted) || strings.HasPrefix(text, rowUpdated) || strings.HasPrefix(text, rowDeleted)
}

func (a *assembly) addFindings() {
	for _, f := range a.known.Findings {
		if !f.FoundAt.Before(a.known.Since) {
			a.moments = append(a.moments, Moment{
				At: f.FoundAt, What: "pass", Source: fromDatabase, Fields: leads.FieldChanges(f.Fields), Cause: f.Cause,
				Text: found(f.Kind, f.Fields, f.Repaired.String(), f.Cause, f.Behind),
			})
		}
	}
}

// addRest adds what only the database knows.
func (a *assembly) addRest() {
	for _, i := range a.known.Incidents {
		if i.To.Before(a.known.Since) {
			continue
		}
		a.moments = append(a.moments, Moment{
			At: i.From, What: "outage", Source: fromDatabase, Whole: true, Text: outage(i.Kind, i.From, i.To, i.Detail),
		})
	}
	if c := a.known.Callback; c != nil && !c.ReceivedAt.Before(a.known.Since) && !a.heard(c.ReceivedAt) {
		a.moments = append(a.moments, Moment{At: c.ReceivedAt, What: "callback", Source: fromDatabase, Text: "event " + c.Event + " arrived, the last that was dealt with"})
	}
	if f := a.known.Failing; f != nil && !f.LastAt.Before(a.known.Since) {
		text := fmt.Sprintf("could not be written in %s since %s: %s", count(int64(f.Attempts), "attempt"), clock(f.FirstAt), f.Reason)
		a.moments = append(a.moments, Moment{At: f.LastAt, What: "failure", Source: fromDatabase, Text: text})
	}
}

// heard reports whether the journal has a callback of that moment.
func (a *assembly) heard(at time.Time) bool {
	return slices.ContainsFunc(a.known.Journal.Entries, func(e Entry) bool {
		return e.LeadID != 0 && (e.Kind == Received && e.At.Sub(at).Abs() < 2*time.Millisecond ||
			(e.Kind == Drained || e.Kind == Read) && e.Since.Sub(at).Abs() < 2*time.Millisecond)
	})
}
