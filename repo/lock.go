package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"leadsync/leads"
)

// lockByWriting locks the rows of a batch by writing them as they are.
func (d *DB) lockByWriting(ctx context.Context, tx *sql.Tx, entries []entry) error {
	for _, portal := range byPortal(entries) {
		ids, err := idList(idsOf(portal))
		if err != nil {
			return err
		}
		_, err = d.writeTogether(ctx, tx, []any{
			sql.Named("member_id", portal[0].snapshot.MemberID), sql.Named("ids", ids),
		}, d.dialect.sql.LeadsTouch)
		if err != nil {
			return err
		}
	}
	return nil
}

// byPortal splits sorted entries into one slice for each portal.
func byPortal(entries []entry) [][]entry {
	var portals [][]entry
	for start := 0; start < len(entries); {
		end := start
		for end < len(entries) && entries[end].snapshot.MemberID == entries[start].snapshot.MemberID {
			end++
		}
		portals = append(portals, entries[start:end])
		start = end
	}
	return portals
}

// lockAgain locks the rows of a batch and the epochs of its portals until the transaction
// ends, one round trip for each portal. It reports whether the rows and the settings are as
// early was decided for.
func (d *DB) lockAgain(ctx context.Context, tx *sql.Tx, entries []entry, early *draft) (unchanged bool, err error) {
	unchanged = early != nil
	for _, portal := range byPortal(entries) {
		found, err := d.lockPortal(ctx, tx, portal)
		if err != nil {
			return false, err
		}
		if err := found.fence(portal); err != nil {
			return false, err
		}
		unchanged = unchanged && maps.Equal(found.settings(), early.settings) && found.same(portal)
	}
	return unchanged, nil
}

// locked is what is found when the rows of a portal are read or locked.
type locked struct {
	epochs []int64 // at most one
	rows   []storedRow
	kept   []setting
}

// lockPortal locks the portal's epoch, so that no other process becomes the owner before the
// transaction ends, and the rows of its entries.
func (d *DB) lockPortal(ctx context.Context, tx *sql.Tx, entries []entry) (l locked, err error) {
	which, err := idList(idsOf(entries))
	if err != nil {
		return l, err
	}
	s := d.dialect.sql
	err = d.readTogether(ctx, tx, []any{sql.Named("member_id", entries[0].snapshot.MemberID), sql.Named("ids", which)},
		into(s.OwnerEpoch, scanInt, &l.epochs), into(s.LeadsLock, scanLocked, &l.rows), into(s.SettingList, scanSetting, &l.kept))
	return l, err
}

// fence rejects what a former owner of the portal has read.
func (l *locked) fence(entries []entry) error {
	if len(l.epochs) == 0 {
		return nil
	}
	for i := range entries {
		if drawn := entries[i].snapshot.Ticket.Epoch(); drawn < l.epochs[0] {
			return fmt.Errorf("%w: ticket of %s has epoch %d, want %d", ErrNotOwner, entries[i].snapshot.MemberID, drawn, l.epochs[0])
		}
	}
	return nil
}

func (l *locked) settings() map[string]string { return settingsOf(l.kept) }

// same reports whether the rows are as the entries have them, card aside: a card never changes
// without ticket or revision.
func (l *locked) same(entries []entry) bool {
	byID := make(map[int64]*storedRow, len(l.rows))
	for i := range l.rows {
		byID[l.rows[i].id] = &l.rows[i]
	}
	for i := range entries {
		now, was := byID[entries[i].snapshot.LeadID], entries[i].row
		if (now == nil) != (was == nil) || now != nil && !now.same(was) {
			return false
		}
	}
	return true
}

func idsOf(entries []entry) []int64 {
	ids := make([]int64, len(entries))
	for i := range entries {
		ids[i] = entries[i].snapshot.LeadID
	}
	return ids
}

// lock locks the rows of one portal's entries until the transaction ends, and reads them.
func (d *DB) lock(ctx context.Context, tx *sql.Tx, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	if _, err := d.lockPortal(ctx, tx, entries); err != nil {
		return err
	}
	_, err := d.readRows(ctx, tx, entries)
	return err
}

// readRows finds the rows of one portal's entries, and the settings.
func (d *DB) readRows(ctx context.Context, q querier, entries []entry) (map[string]string, error) {
	byID := make(map[int64]*entry, len(entries))
	for i := range entries {
		entries[i].row = nil // an earlier attempt may have set it
		if entries[i].given != nil {
			entries[i].snapshot, entries[i].given = entries[i].given, nil
		}
		byID[entries[i].snapshot.LeadID] = &entries[i]
	}
	ids, err := idList(slices.Collect(maps.Keys(byID)))
	if err != nil {
		return nil, err
	}
	member := entries[0].snapshot.MemberID
	found, err := within(ctx, q, func() (l locked, err error) {
		s := d.dialect.sql
		err = d.readTogether(ctx, q, []any{sql.Named("member_id", member), sql.Named("ids", ids)},
			into(s.SettingList, scanSetting, &l.kept), into(s.LeadsLook, scanStored, &l.rows))
		return l, err
	})
	if err != nil {
		return nil, err
	}
	for i := range found.rows {
		byID[found.rows[i].id].row = &found.rows[i]
	}
	if err := d.readForced(ctx, q, member, byID); err != nil {
		return nil, err
	}
	for i := range entries {
		entries[i].complete()
	}
	return found.settings(), nil
}

// complete keeps what the row has of the fields that are odd in the card.
func (e *entry) complete() {
	if len(e.snapshot.Lead.Odd) == 0 {
		return
	}
	var stored *leads.Row
	if e.row != nil {
		stored = e.row.full
	}
	whole := *e.snapshot
	whole.Lead = *e.snapshot.Lead.Completed(stored)
	e.given, e.snapshot = e.snapshot, &whole
}

// readForced reads the columns of rows whose snapshots are forced or have odd fields.
func (d *DB) readForced(ctx context.Context, q querier, memberID string, byID map[int64]*entry) error {
	var forced []int64
	for id, e := range byID {
		if (e.snapshot.Force || len(e.snapshot.Lead.Odd) > 0) && e.row != nil {
			forced = append(forced, id)
		}
	}
	if len(forced) == 0 {
		return nil
	}
	rows, err := d.rowsByID(ctx, q, memberID, forced)
	if err != nil {
		return err
	}
	for i := range rows {
		if e := byID[rows[i].LeadID]; e.row != nil { // it may have come since
			e.row.full = &rows[i]
		}
	}
	return nil
}

func scanStored(row scanner) (s storedRow, err error) {
	var raw string
	err = row.Scan(&s.id, &s.ticket, &s.revision, textColumn{&s.hash}, instantColumn{&s.readAt},
		instantColumn{&s.deleted}, instantColumn{&s.absentSince}, textColumn{&raw})
	s.raw = json.RawMessage(raw)
	return s, err
}

func scanLocked(row scanner) (s storedRow, err error) {
	err = row.Scan(&s.id, &s.ticket, &s.revision, textColumn{&s.hash}, instantColumn{&s.readAt},
		instantColumn{&s.deleted}, instantColumn{&s.absentSince})
	return s, err
}
