package repo

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// RaiseRevisions raises rows above the revisions that the topic has, and announces them.
// A database that was lost or restored from a backup counts revisions that the topic has
// already seen. It leaves rows alone whose revision is higher than the topic's: their
// changes wait in the outbox. It returns the number of rows raised.
func (d *DB) RaiseRevisions(ctx context.Context, memberID string, topic []leads.OnTopic) (int, error) {
	byID := make(map[int64]leads.OnTopic, len(topic))
	ids := make([]int64, len(topic))
	for i, t := range topic {
		byID[t.LeadID], ids[i] = t, t.LeadID
	}
	return d.announce(ctx, memberID, ids, func(id int64, row *storedRow) (decision, bool) {
		t := byID[id]
		if row.revision > t.Revision || row.revision == t.Revision && !t.Distinct {
			return decision{}, false
		}
		dec := row.announceAgain(t.Deleted)
		dec.action, dec.outcome.Revision = writeMarks, t.Revision+1
		return dec, true
	})
}

// Reannounce announces rows as they are now, for a topic that has lost them. It skips
// tombstones older than since. It returns the number of rows announced.
func (d *DB) Reannounce(ctx context.Context, memberID string, ids []int64, since time.Time) (int, error) {
	return d.announce(ctx, memberID, ids, func(_ int64, row *storedRow) (decision, bool) {
		return row.announceAgain(true), row.deleted.IsZero() || row.deleted.After(since)
	})
}

// announceAgain announces the row as it is. added says that the topic has no card of it.
func (r *storedRow) announceAgain(added bool) decision {
	d := decision{ticket: r.ticket, absent: r.absentSince, deleted: r.deleted, kind: leads.Changed}
	d.outcome.Revision = r.revision
	switch {
	case !r.deleted.IsZero():
		d.kind = leads.RemovedKind
		return d
	case added:
		d.kind = leads.Added
	}
	if card, err := leads.Parse(r.raw); err == nil {
		d.outcome.Changed = leads.Diff(&blank, &card) // any field may be new to a subscriber
	}
	return d
}

// announce writes what choose decides about existing rows. It skips rows that were
// adopted and never read: they have no card to announce.
func (d *DB) announce(ctx context.Context, memberID string, ids []int64, choose func(int64, *storedRow) (decision, bool)) (count int, err error) {
	ctx = patient(ctx)
	for batch := range slices.Chunk(ids, batchSize) {
		var chosen []entry
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			entries := entriesOf(memberID, batch)
			if err := d.lock(ctx, tx, entries); err != nil {
				return err
			}
			chosen = chooseEntries(entries, choose)
			return d.store(ctx, tx, chosen, d.dialect.load)
		})
		if err != nil {
			return count, fmt.Errorf("announce %d rows of %s: %w", len(batch), memberID, err)
		}
		count += len(chosen)
	}
	return count, nil
}

// chooseEntries are the entries that have a card or a tombstone and that choose accepts.
func chooseEntries(entries []entry, choose func(int64, *storedRow) (decision, bool)) (chosen []entry) {
	for _, e := range entries {
		if e.row == nil || len(e.row.raw) == 0 && e.row.deleted.IsZero() {
			continue
		}
		decided, ok := choose(e.snapshot.LeadID, e.row)
		if !ok {
			continue
		}
		e.decision, e.snapshot.Lead.Raw, e.snapshot.ReadAt = decided, leads.WithoutTokens(e.row.raw), e.row.readAt
		chosen = append(chosen, e)
	}
	return chosen
}

func entriesOf(memberID string, ids []int64) []entry {
	entries := make([]entry, len(ids))
	for i, id := range slices.Sorted(slices.Values(ids)) { // all batches lock rows in the same order
		entries[i].snapshot = &leads.Snapshot{Ref: leads.Ref{MemberID: memberID, LeadID: id}, Cause: leads.CauseReconcile}
	}
	return entries
}

// RestoreFromTopic inserts rows for leads that the topic has and the mirror lacks, with
// the topic's revisions: the mirror was lost, or is older than the topic. Any read of the
// portal is newer than such a row. Nothing is known about absences since; the next pass
// finds leads that were deleted. It returns the number of rows inserted.
func (d *DB) RestoreFromTopic(ctx context.Context, changes []leads.Change) (count int, err error) {
	ctx = patient(ctx)
	for batch := range slices.Chunk(restorable(changes), batchSize) {
		var missing []entry
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			for _, portal := range byPortal(batch) {
				if err := d.lock(ctx, tx, portal); err != nil {
					return err
				}
			}
			missing = slices.DeleteFunc(slices.Clone(batch), func(e entry) bool { return e.row != nil })
			return d.store(ctx, tx, missing, d.dialect.load)
		})
		if err != nil {
			return count, fmt.Errorf("restore %s and %d more from the topic: %w", batch[0].snapshot.Ref, len(batch)-1, err)
		}
		count += len(missing)
	}
	return count, nil
}

// restorable turns the changes that have a valid card into rows to insert, one per lead.
func restorable(changes []leads.Change) []entry {
	var entries []entry
	for _, c := range changes {
		s := &leads.Snapshot{Ref: c.Ref(), ReadAt: c.ReadAt, Cause: c.Cause}
		var err error
		if s.Lead, err = leads.Parse(c.Lead); err != nil || valid(s) != nil {
			continue // a deletion, a card too large for the topic, or not a lead
		}
		entries = append(entries, entry{snapshot: s, decision: decision{action: writeRow, outcome: leads.Outcome{Ref: s.Ref, Revision: c.Revision}}})
	}
	entries, _ = newestPerLead(entries)
	return entries
}
