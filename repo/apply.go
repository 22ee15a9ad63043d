package repo

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"leadsync/leads"
)

// batchSize is the most leads that one transaction writes. SQL Server locks the whole
// table when a statement locks 5,000 rows.
const batchSize = 1000

// entry is one snapshot of a batch: the row found for it, what was decided, and where
// the outcome goes.
type entry struct {
	snapshot *leads.Snapshot
	// given is the snapshot as the caller read it, where snapshot is a completed copy; otherwise nil.
	given    *leads.Snapshot
	outcome  *leads.Outcome
	row      *storedRow // nil where the mirror has no row
	decision decision
}

// Apply writes snapshots that are newer than the mirror's rows, and in the same
// transaction the announcements of what changed. A transaction writes at most 1,000 leads.
// Outcomes are in the order of the snapshots. A lead that the database rejects gets the
// verdict Failed and does not stop the others. An error says nothing about any snapshot:
// transactions that were committed before it stay, so the caller applies all of them again.
// The error is ErrNotOwner where a ticket belongs to an earlier epoch of the portal.
func (d *DB) Apply(ctx context.Context, snapshots []leads.Snapshot) ([]leads.Outcome, error) {
	outcomes := make([]leads.Outcome, len(snapshots))
	entries := make([]entry, 0, len(snapshots))
	for i := range snapshots {
		outcomes[i].Ref = snapshots[i].Ref
		if err := valid(&snapshots[i]); err != nil {
			outcomes[i].Verdict, outcomes[i].Err = leads.Failed, err
			continue
		}
		entries = append(entries, entry{snapshot: &snapshots[i], outcome: &outcomes[i]})
	}
	newest, superseded := newestPerLead(entries)
	for batch := range slices.Chunk(newest, batchSize) {
		err := d.applyBatch(ctx, batch)
		if ctx.Err() == nil && !errors.Is(err, ErrNotOwner) {
			d.trouble.note(d.now(), err)
		}
		if err != nil {
			return nil, fmt.Errorf("apply %s and %d more: %w", batch[0].snapshot.Ref, len(batch)-1, err)
		}
	}
	for _, pair := range superseded {
		*pair[0].outcome = leads.Outcome{
			Ref: pair[0].snapshot.Ref, Verdict: leads.Older, Revision: pair[1].outcome.Revision,
		}
	}
	return outcomes, nil
}

// valid rejects snapshots that must not reach the database.
func valid(s *leads.Snapshot) error {
	switch {
	case !leads.ValidMemberID(s.MemberID):
		return fmt.Errorf("%w: invalid member_id %q, want 1 to 64 letters and digits", errData, s.MemberID)
	case s.LeadID < 1 || s.LeadID > leads.MaxID:
		return fmt.Errorf("%w: invalid id %d, want 1 to %d", errData, s.LeadID, leads.MaxID)
	case s.Sight == leads.Present && len(s.Lead.Values) != len(leads.Fields):
		return fmt.Errorf("%w: card of %s has %d values, want %d", errData, s.Ref, len(s.Lead.Values), len(leads.Fields))
	case s.Sight == leads.Present && s.Lead.ID != s.LeadID:
		return fmt.Errorf("%w: card of %s has the id %d", errData, s.Ref, s.Lead.ID)
	case len(s.Lead.Raw) > 0 && !json.Valid(s.Lead.Raw):
		return fmt.Errorf("%w: card of %s is not JSON", errData, s.Ref)
	default:
		return nil
	}
}

// newestPerLead keeps the entry with the highest ticket of each lead. They are sorted by
// lead, so that all batches lock rows in the same order. superseded pairs each other entry
// with the one that replaced it.
func newestPerLead(entries []entry) (newest []entry, superseded [][2]entry) {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(a.snapshot.MemberID, b.snapshot.MemberID),
			cmp.Compare(a.snapshot.LeadID, b.snapshot.LeadID),
			cmp.Compare(b.snapshot.Ticket, a.snapshot.Ticket))
	})
	for _, e := range entries {
		if n := len(newest); n > 0 && newest[n-1].snapshot.Ref == e.snapshot.Ref {
			superseded = append(superseded, [2]entry{e, newest[n-1]})
			continue
		}
		newest = append(newest, e)
	}
	return newest, superseded
}

// liveBatch is the most leads that count as the live path; more come from a pass or an import.
const liveBatch = 50

// errAlike says that no lead of a batch could be written, all for the same reason.
var errAlike = errors.New("each lead of the batch fails with the same error, so the cause is in the database and no lead is marked")

// applyBatch writes a batch in one transaction. If the content of a lead may be the cause of a
// failure, it splits the batch until that lead is alone. Where all leads of several fail
// alike, the database is to blame.
func (d *DB) applyBatch(ctx context.Context, entries []entry) error {
	if len(entries) > liveBatch {
		ctx = patient(ctx)
	}
	failures, err := d.applyHalves(ctx, entries)
	if err != nil {
		return err
	}
	if d.alike(entries, failures) {
		return fmt.Errorf("%w: %w", errAlike, failures[0].err)
	}
	for _, f := range failures {
		*f.outcome = leads.Outcome{Ref: f.snapshot.Ref, Verdict: leads.Failed, Err: f.err}
	}
	return nil
}

// failure is a lead that cannot be written although it is alone.
type failure struct {
	*entry
	err error
}

func (d *DB) applyHalves(ctx context.Context, entries []entry) ([]failure, error) {
	load := d.dialect.load
	err := d.transactAfter(ctx, func(ctx context.Context, tx *sql.Tx, previous error) error {
		if previous != nil && d.classify(previous) == faultBroken {
			load = loadPrepared // bulk copy may have broken the connection
		}
		return d.applyTx(ctx, tx, entries, load)
	})
	switch {
	case err == nil:
		for i := range entries {
			*entries[i].outcome = entries[i].decision.outcome
		}
		return nil, nil
	case ctx.Err() != nil || errors.Is(err, ErrNotMigrated) || !d.blamesLead(err):
		return nil, err
	case len(entries) == 1:
		return []failure{{&entries[0], err}}, nil
	}
	half := len(entries) / 2
	first, err := d.applyHalves(ctx, entries[:half])
	second, err2 := d.applyHalves(ctx, entries[half:])
	return append(first, second...), errors.Join(err, err2)
}

// alike reports whether each of several leads fails with the same number.
func (d *DB) alike(entries []entry, failures []failure) bool {
	if len(entries) < 2 || len(failures) < len(entries) || d.dialect.number == nil {
		return false
	}
	number := d.dialect.number(failures[0].err)
	return number != 0 && !slices.ContainsFunc(failures, func(f failure) bool { return d.dialect.number(f.err) != number })
}

// blamesLead reports whether a lead's content may be the cause of an error. A duplicate
// key that persists after all attempts counts too.
func (d *DB) blamesLead(err error) bool {
	switch d.classify(err) {
	case faultData, faultKey:
		return true
	default:
		return false
	}
}

func (d *DB) applyTx(ctx context.Context, tx *sql.Tx, entries []entry, load loader) error {
	for _, portal := range byPortal(entries) {
		if err := d.checkEpoch(ctx, tx, portal); err != nil {
			return setupError{err}
		}
		if err := d.lock(ctx, tx, portal); err != nil {
			return setupError{err}
		}
	}
	now := d.now().UTC().Truncate(time.Millisecond)
	for i := range entries {
		entries[i].decision = decide(entries[i].snapshot, entries[i].row, now, d.grace)
	}
	for _, portal := range byPortal(entries) {
		if err := d.applyBreaker(ctx, tx, portal, now); err != nil {
			return setupError{err}
		}
	}
	return d.store(ctx, tx, entries, load)
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

// checkEpoch rejects what a former owner of the portal has read. The statement locks the
// epoch, so that no other process becomes the owner before the transaction ends.
func (d *DB) checkEpoch(ctx context.Context, tx *sql.Tx, entries []entry) error {
	member := entries[0].snapshot.MemberID
	var epoch int64
	err := tx.QueryRowContext(ctx, d.dialect.sql.OwnerEpoch, sql.Named("member_id", member)).Scan(&epoch)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for i := range entries {
		if drawn := entries[i].snapshot.Ticket.Epoch(); drawn < epoch {
			return fmt.Errorf("%w: ticket of %s has epoch %d, want %d", ErrNotOwner, member, drawn, epoch)
		}
	}
	return nil
}

// lock finds the rows of one portal's entries and locks them until the transaction ends.
func (d *DB) lock(ctx context.Context, tx *sql.Tx, entries []entry) error {
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
		return err
	}
	member := entries[0].snapshot.MemberID
	rows, err := query(ctx, tx, scanStored, d.dialect.sql.LeadsLock,
		sql.Named("member_id", member), sql.Named("ids", ids))
	if err != nil {
		return err
	}
	for i := range rows {
		byID[rows[i].id].row = &rows[i]
	}
	if err := d.readForced(ctx, tx, member, byID); err != nil {
		return err
	}
	for i := range entries {
		entries[i].complete()
	}
	return nil
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
func (d *DB) readForced(ctx context.Context, tx *sql.Tx, memberID string, byID map[int64]*entry) error {
	var forced []int64
	for id, e := range byID {
		if (e.snapshot.Force || len(e.snapshot.Lead.Odd) > 0) && e.row != nil {
			forced = append(forced, id)
		}
	}
	if len(forced) == 0 {
		return nil
	}
	rows, err := d.rowsByID(ctx, tx, memberID, forced)
	if err != nil {
		return err
	}
	for i := range rows {
		byID[rows[i].LeadID].row.full = &rows[i]
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
