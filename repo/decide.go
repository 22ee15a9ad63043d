package repo

import (
	"encoding/json"
	"time"

	"leadsync/leads"
)

// current is a row of bitrix_leads as it was found and locked.
type current struct {
	id          int64
	ticket      leads.Ticket
	revision    int64
	hash        string // "" on rows adopted from the seed
	readAt      time.Time
	deleted     time.Time
	absentSince time.Time
	raw         json.RawMessage // nil on rows adopted from the seed
	held        *leads.Row      // columns and contacts; read only where a snapshot is forced
}

// blank is a card without values: all of a new lead differs from it.
var blank = leads.Lead{Values: make([]string, len(leads.Fields))}

// act is what is to be written for a snapshot.
type act int

const (
	nothing act = iota
	mark        // ticket, absence or tombstone; the card's columns stay
	put         // the whole row, its contacts and its solution
)

// step is what becomes of one snapshot: what to tell the caller, what to write, and what
// to announce.
type step struct {
	outcome leads.Outcome
	act     act
	ticket  leads.Ticket // of the row after it
	absent  time.Time    // of the row after it
	deleted time.Time    // of the row after it
	kind    leads.ChangeKind
}

// decide says what becomes of a snapshot, given the row; nil is none. It looks at nothing
// else. Only a higher ticket is heard. A sighting that changes nothing still raises the
// row's ticket: else an older read that arrives late would pass for news.
func decide(s *leads.Snapshot, row *current, now time.Time, grace time.Duration) step {
	st := step{outcome: leads.Outcome{Ref: s.Ref}, ticket: s.Ticket}
	if row != nil {
		st.outcome.Revision = row.revision
		st.deleted, st.absent = row.deleted, row.absentSince
		if s.Ticket <= row.ticket {
			st.outcome.Verdict = leads.Older
			return st
		}
	}
	switch {
	case s.Sight == leads.Present:
		return st.present(s, row)
	case row == nil: // nothing is known and nothing was seen
		return st
	case s.Sight == leads.Absent:
		return st.gone(s, now, grace)
	default:
		return st.denied(row)
	}
}

// present is a card that was seen.
func (st step) present(s *leads.Snapshot, row *current) step {
	if row == nil || !row.deleted.IsZero() {
		return st.writes(leads.Inserted, leads.Added, leads.Diff(&blank, &s.Lead))
	}
	same := row.hash == s.Lead.Hash()
	if same && !s.Force {
		st.act, st.absent = mark, time.Time{}
		return st
	}
	changed, known := differences(s, row)
	switch {
	case len(changed) > 0 || !known:
		return st.writes(leads.Updated, leads.Changed, changed)
	case same:
		st.act, st.absent = mark, time.Time{}
	default: // hashed by another version: the row is rewritten, and nobody need know
		st.act, st.absent = put, time.Time{}
	}
	return st
}

// differences names the fields in which the card differs from the row, as it was written
// or, where that is forced, as it stands; false where it is not known what was written.
func differences(s *leads.Snapshot, row *current) (names []string, known bool) {
	if s.Force && row.held != nil && len(row.raw) > 0 {
		return row.held.Differences(&s.Lead), true
	}
	if stored, err := leads.Parse(row.raw); err == nil {
		return leads.Diff(&stored, &s.Lead), true
	}
	return leads.Diff(&blank, &s.Lead), false
}

func (st step) writes(verdict leads.Verdict, kind leads.ChangeKind, changed []string) step {
	st.act, st.kind = put, kind
	st.absent, st.deleted = time.Time{}, time.Time{}
	st.outcome.Verdict, st.outcome.Changed = verdict, changed
	st.outcome.Revision++
	return st
}

// gone is a lead that was not found. It is deleted when that is proven, or when it has
// been so for the grace period; else it is noted. The row is there.
func (st step) gone(s *leads.Snapshot, now time.Time, grace time.Duration) step {
	st.act = mark
	switch {
	case !st.deleted.IsZero():
	case s.Proven, !st.absent.IsZero() && now.Sub(st.absent) >= grace:
		st.deleted, st.absent, st.kind = now, time.Time{}, leads.RemovedKind
		st.outcome.Verdict = leads.Deleted
		st.outcome.Revision++
	default:
		st.outcome.Verdict = leads.Missing
		if st.absent.IsZero() || st.absent.After(now) { // after: the clock was set back, the grace begins anew
			st.absent = now
		}
	}
	return st
}

// denied is a lead that is there but may not be read. It says nothing of the card, so
// the ticket stays; but it was no deletion that it had been absent before.
func (st step) denied(row *current) step {
	st.ticket = row.ticket
	if !row.absentSince.IsZero() {
		st.act, st.absent = mark, time.Time{}
	}
	return st
}

// announcement is the change that subscribers learn of; nil where there is none.
func (st step) announcement(s *leads.Snapshot) *leads.Change {
	if st.kind == "" {
		return nil
	}
	change := &leads.Change{
		MemberID: s.MemberID, LeadID: s.LeadID, Kind: st.kind, Revision: st.outcome.Revision,
		Fields: append([]string{}, st.outcome.Changed...), Cause: s.Cause, ReadAt: s.ReadAt,
	}
	if st.kind != leads.RemovedKind {
		change.Lead = s.Lead.Raw
	}
	return change
}
