package repo

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// RaiseRevisions raises rows above what the topic holds of them, and announces them: a database
// that was lost, or restored from a backup, counts revisions that the topic has seen
// already. Rows that are above it by themselves are left alone: what the topic lacks of
// them waits in the outbox. It returns how many it raised.
func (d *DB) RaiseRevisions(ctx context.Context, memberID string, topic []leads.OnTopic) (int, error) {
	on := make(map[int64]leads.OnTopic, len(topic))
	ids := make([]int64, len(topic))
	for i, t := range topic {
		on[t.LeadID], ids[i] = t, t.LeadID
	}
	return d.announce(ctx, memberID, ids, func(id int64, row *current) (step, bool) {
		t := on[id]
		if row.revision > t.Revision || row.revision == t.Revision && !t.Distinct {
			return step{}, false
		}
		st := row.again(t.Deleted)
		st.act, st.outcome.Revision = mark, t.Revision+1
		return st, true
	})
}

// Reannounce announces rows as they stand, for a topic that has lost them. Tombstones
// from before since are left out. It returns how many it announced.
func (d *DB) Reannounce(ctx context.Context, memberID string, ids []int64, since time.Time) (int, error) {
	return d.announce(ctx, memberID, ids, func(_ int64, row *current) (step, bool) {
		return row.again(true), row.deleted.IsZero() || row.deleted.After(since)
	})
}

// again is the announcement of a row as it stands; added to a topic that has no card of
// it.
func (c *current) again(added bool) step {
	st := step{ticket: c.ticket, absent: c.absentSince, deleted: c.deleted, kind: leads.Changed}
	st.outcome.Revision = c.revision
	switch {
	case !c.deleted.IsZero():
		st.kind = leads.RemovedKind
		return st
	case added:
		st.kind = leads.Added
	}
	if card, err := leads.Parse(c.raw); err == nil {
		st.outcome.Changed = leads.Diff(&blank, &card) // nobody knows what of it is news
	}
	return st
}

// announce writes what choose makes of the rows there are. Rows that were adopted and
// never read have nothing to announce.
func (d *DB) announce(ctx context.Context, memberID string, ids []int64, choose func(int64, *current) (step, bool)) (count int, err error) {
	for batch := range slices.Chunk(ids, batchSize) {
		var chosen []item
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			chosen = nil
			items := itemsOf(memberID, batch)
			if err := d.lock(ctx, tx, items); err != nil {
				return err
			}
			for _, it := range items {
				if it.row == nil || len(it.row.raw) == 0 && it.row.deleted.IsZero() {
					continue
				}
				st, ok := choose(it.snapshot.LeadID, it.row)
				if !ok {
					continue
				}
				it.step, it.snapshot.Lead.Raw, it.snapshot.ReadAt = st, it.row.raw, it.row.readAt
				chosen = append(chosen, it)
			}
			return d.store(ctx, tx, chosen, d.dialect.load)
		})
		if err != nil {
			return count, fmt.Errorf("announce %d rows of %s: %w", len(batch), memberID, err)
		}
		count += len(chosen)
	}
	return count, nil
}

func itemsOf(memberID string, ids []int64) []item {
	items := make([]item, len(ids))
	for i, id := range slices.Sorted(slices.Values(ids)) { // two batches lock in the same order
		items[i].snapshot = &leads.Snapshot{Ref: leads.Ref{MemberID: memberID, LeadID: id}, Cause: leads.CauseReconcile}
	}
	return items
}

// RestoreFromTopic gives leads that the topic holds, and the mirror does not, their rows back, with
// the revisions they have there: the mirror was lost, or is older than the topic. Every
// read is newer than such a row. Nobody has asked the portal for it since, so nothing is
// known of its absence either: the next pass finds what is gone. It returns how many rows
// it made.
func (d *DB) RestoreFromTopic(ctx context.Context, changes []leads.Change) (count int, err error) {
	for batch := range slices.Chunk(recallable(changes), batchSize) {
		var missing []item
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			for _, portal := range byPortal(batch) {
				if err := d.lock(ctx, tx, portal); err != nil {
					return err
				}
			}
			missing = slices.DeleteFunc(slices.Clone(batch), func(it item) bool { return it.row != nil })
			return d.store(ctx, tx, missing, d.dialect.load)
		})
		if err != nil {
			return count, fmt.Errorf("recall %s and %d more: %w", batch[0].snapshot.Ref, len(batch)-1, err)
		}
		count += len(missing)
	}
	return count, nil
}

// recallable are the changes that have a card, as rows to be inserted, by lead.
func recallable(changes []leads.Change) []item {
	var items []item
	for _, c := range changes {
		s := &leads.Snapshot{Ref: c.Ref(), ReadAt: c.ReadAt, Cause: c.Cause}
		var err error
		if s.Lead, err = leads.Parse(c.Lead); err != nil || valid(s) != nil {
			continue // a deletion, a card too large for the topic, or none of ours
		}
		items = append(items, item{snapshot: s, step: step{act: put, outcome: leads.Outcome{Ref: s.Ref, Revision: c.Revision}}})
	}
	items, _ = newestEach(items)
	return items
}
