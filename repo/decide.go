package repo

import (
	"bytes"
	"encoding/json"
	"time"

	"leadsync/leads"
)

// storedRow is a row of bitrix_leads as a transaction found and locked it.
type storedRow struct {
	id          int64
	ticket      leads.Ticket
	revision    int64
	hash        string // "" on rows adopted from an existing database
	readAt      time.Time
	deleted     time.Time       // zero where the row is not a tombstone
	absentSince time.Time       // zero where the lead was found at the last read
	raw         json.RawMessage // nil on rows adopted from an existing database
	full        *leads.Row      // columns and contacts; read only for a snapshot that is forced or has odd fields
}

// same reports whether two reads of a row found the same, card aside.
func (r *storedRow) same(as *storedRow) bool {
	return r.ticket == as.ticket && r.revision == as.revision && r.hash == as.hash && r.readAt.Equal(as.readAt) &&
		r.deleted.Equal(as.deleted) && r.absentSince.Equal(as.absentSince)
}

// blank is a card without values: a new lead differs from it in every field it has.
var blank = leads.Lead{Values: make([]string, len(leads.Fields))}

// action is what a transaction writes for a snapshot.
type action int

const (
	writeNothing action = iota
	writeMarks          // ticket, absence or tombstone; the card's columns stay
	writeRow            // the whole row with its contacts and side tables
)

// decision is what becomes of one snapshot: the outcome for the caller, what to write,
// and what to announce. ticket, absent and deleted are the row's new values.
type decision struct {
	outcome leads.Outcome
	action  action
	ticket  leads.Ticket
	absent  time.Time        // zero: not absent
	deleted time.Time        // zero: not deleted
	kind    leads.ChangeKind // "" announces nothing
	hash    string           // of the card, where it was needed; else ""
}

// decide compares a snapshot with its row, nil where there is none, and depends on nothing
// else. It accepts only a higher ticket. A snapshot that changes nothing still raises the
// row's ticket: otherwise an older read that arrives later would be written.
func decide(s *leads.Snapshot, row *storedRow, now time.Time, grace time.Duration) decision {
	d := decision{outcome: leads.Outcome{Ref: s.Ref}, ticket: s.Ticket}
	if row != nil {
		d.outcome.Revision = row.revision
		d.deleted, d.absent = row.deleted, row.absentSince
		if s.Ticket <= row.ticket {
			d.outcome.Verdict = leads.Older
			return d
		}
	}
	switch {
	case s.Sight == leads.Present:
		return d.present(s, row)
	case row == nil: // neither the portal nor the mirror has the lead
		return d
	case s.Sight == leads.Absent:
		return d.absence(s, now, grace)
	default:
		return d.denied(row)
	}
}

// present decides about a card that the portal returned.
func (d decision) present(s *leads.Snapshot, row *storedRow) decision {
	if row == nil || !row.deleted.IsZero() {
		var names []string
		d.hash, names = s.Lead.HashAndNames()
		return d.changed(leads.Inserted, leads.Added, names)
	}
	d.hash = s.Lead.Hash()
	same := row.hash == d.hash
	if same && !s.Force {
		d.action, d.absent = writeMarks, time.Time{}
		return d
	}
	fields, known := differences(s, row)
	signed := !bytes.Equal(row.raw, leads.WithoutTokens(row.raw)) // its card on the topic has tokens, too
	switch {
	case len(fields) > 0 || !known || signed:
		return d.changed(leads.Updated, leads.Changed, fields)
	case same:
		d.action, d.absent = writeMarks, time.Time{}
	default: // another version computed the hash: rewrite the row, announce nothing
		d.action, d.absent = writeRow, time.Time{}
	}
	return d
}

// differences names the fields in which the card differs from the stored card or, for a
// forced snapshot, from the columns. known is false where the row has no readable card.
func differences(s *leads.Snapshot, row *storedRow) (names []string, known bool) {
	if s.Force && row.full != nil && len(row.raw) > 0 {
		return row.full.Differences(&s.Lead), true
	}
	if stored, err := leads.Parse(row.raw); err == nil {
		return leads.Diff(&stored, &s.Lead), true
	}
	return leads.Diff(&blank, &s.Lead), false
}

// changed writes the whole row and announces the fields that changed.
func (d decision) changed(verdict leads.Verdict, kind leads.ChangeKind, fields []string) decision {
	d.action, d.kind = writeRow, kind
	d.absent, d.deleted = time.Time{}, time.Time{}
	d.outcome.Verdict, d.outcome.Changed = verdict, fields
	d.outcome.Revision++
	return d
}

// absence decides about a lead that the portal did not find and the mirror has. It deletes
// the row if the deletion is proven or the lead has been absent for the grace period;
// otherwise it notes the absence.
func (d decision) absence(s *leads.Snapshot, now time.Time, grace time.Duration) decision {
	d.action = writeMarks
	switch {
	case !d.deleted.IsZero():
	case s.Proven, !d.absent.IsZero() && now.Sub(d.absent) >= grace:
		d.deleted, d.absent, d.kind = now, time.Time{}, leads.RemovedKind
		d.outcome.Verdict = leads.Deleted
		d.outcome.Revision++
	default:
		d.outcome.Verdict = leads.Missing
		if d.absent.IsZero() || d.absent.After(now) { // a time in the future: the clock was set back, so the grace period starts again
			d.absent = now
		}
	}
	return d
}

// denied decides about a lead that exists but may not be read. The read says nothing about
// the card, so the row keeps its ticket; but an absence that was noted is over.
func (d decision) denied(row *storedRow) decision {
	d.ticket = row.ticket
	if !row.absentSince.IsZero() {
		d.action, d.absent = writeMarks, time.Time{}
	}
	return d
}

// announcement is the change that subscribers receive; nil where nothing changed.
func (d decision) announcement(s *leads.Snapshot) *leads.Change {
	if d.kind == "" {
		return nil
	}
	change := &leads.Change{
		MemberID: s.MemberID, LeadID: s.LeadID, Kind: d.kind, Revision: d.outcome.Revision,
		Fields: append([]string{}, d.outcome.Changed...), Cause: s.Cause, ReadAt: s.ReadAt,
	}
	if d.kind != leads.RemovedKind {
		change.Lead = s.Lead.Raw
	}
	return change
}
