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

// batchSize is the most leads of one transaction: SQL Server takes a whole table's lock
// at 5,000 rows.
const batchSize = 1000

// item is a snapshot on its way into the mirror, and where its outcome goes.
type item struct {
	snapshot *leads.Snapshot
	outcome  *leads.Outcome
	row      *current
	step     step
}

// Apply writes what reads of the portals saw, where it is newer than the rows, with the
// announcements of what changed in the same transaction; at most 1,000 leads each.
// Outcomes come in the order of the snapshots. A lead that the database does not take is
// Failed, alone; an error says that nothing can be said of any (transactions that were
// complete by then stay written: apply the same again). It is ErrNotOwner where a ticket
// is of an epoch that is over.
func (d *DB) Apply(ctx context.Context, snapshots []leads.Snapshot) ([]leads.Outcome, error) {
	outcomes := make([]leads.Outcome, len(snapshots))
	items := make([]item, 0, len(snapshots))
	for i := range snapshots {
		outcomes[i].Ref = snapshots[i].Ref
		if err := valid(&snapshots[i]); err != nil {
			outcomes[i].Verdict, outcomes[i].Err = leads.Failed, err
			continue
		}
		items = append(items, item{snapshot: &snapshots[i], outcome: &outcomes[i]})
	}
	newest, superseded := newestEach(items)
	for batch := range slices.Chunk(newest, batchSize) {
		if err := d.applySet(ctx, batch); err != nil {
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

// valid tells snapshots that no database should see.
func valid(s *leads.Snapshot) error {
	switch {
	case !leads.ValidMemberID(s.MemberID):
		return fmt.Errorf("%w: %q is no member_id", errData, s.MemberID)
	case s.LeadID < 1 || s.LeadID > leads.MaxID:
		return fmt.Errorf("%w: id %d is not from 1 to %d", errData, s.LeadID, leads.MaxID)
	case s.Sight == leads.Present && len(s.Lead.Values) != len(leads.Fields):
		return fmt.Errorf("%w: the card of %s has %d values for %d fields", errData, s.Ref, len(s.Lead.Values), len(leads.Fields))
	case s.Sight == leads.Present && s.Lead.ID != s.LeadID:
		return fmt.Errorf("%w: the card of %s is of lead %d", errData, s.Ref, s.Lead.ID)
	case len(s.Lead.Raw) > 0 && !json.Valid(s.Lead.Raw):
		return fmt.Errorf("%w: the card of %s is no JSON", errData, s.Ref)
	default:
		return nil
	}
}

// newestEach keeps the highest ticket of each lead, ordered by lead, so that two batches
// lock in the same order; superseded are the others, each with the one that counts.
func newestEach(items []item) (newest []item, superseded [][2]item) {
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(
			cmp.Compare(a.snapshot.MemberID, b.snapshot.MemberID),
			cmp.Compare(a.snapshot.LeadID, b.snapshot.LeadID),
			cmp.Compare(b.snapshot.Ticket, a.snapshot.Ticket))
	})
	for _, it := range items {
		if n := len(newest); n > 0 && newest[n-1].snapshot.Ref == it.snapshot.Ref {
			superseded = append(superseded, [2]item{it, newest[n-1]})
			continue
		}
		newest = append(newest, it)
	}
	return newest, superseded
}

// applySet writes a set in one transaction. If a lead in it cannot be written the set is
// halved until that one stands alone.
func (d *DB) applySet(ctx context.Context, items []item) error {
	load := d.dialect.load
	err := d.transactAfter(ctx, func(ctx context.Context, tx *sql.Tx, last error) error {
		if last != nil && d.judge(last) == faultBroken {
			load = loadPrepared // it may have been bulk copy that broke the connection
		}
		return d.applyTx(ctx, tx, items, load)
	})
	switch {
	case err == nil:
		for i := range items {
			*items[i].outcome = items[i].step.outcome
		}
		return nil
	case ctx.Err() != nil || errors.Is(err, ErrNotMigrated) || !d.culpable(err):
		return err
	case len(items) == 1:
		*items[0].outcome = leads.Outcome{Ref: items[0].snapshot.Ref, Verdict: leads.Failed, Err: err}
		return nil
	}
	half := len(items) / 2
	return errors.Join(d.applySet(ctx, items[:half]), d.applySet(ctx, items[half:]))
}

// culpable tells whether a lead's own content may be to blame. A key that stays in the
// way after all tries is, too.
func (d *DB) culpable(err error) bool {
	switch d.judge(err) {
	case faultData, faultKey:
		return true
	default:
		return false
	}
}

func (d *DB) applyTx(ctx context.Context, tx *sql.Tx, items []item, load loader) error {
	for _, portal := range byPortal(items) {
		if err := d.fence(ctx, tx, portal); err != nil {
			return preparation{err}
		}
		if err := d.lock(ctx, tx, portal); err != nil {
			return preparation{err}
		}
	}
	now := d.now().UTC().Truncate(time.Millisecond)
	for i := range items {
		items[i].step = decide(items[i].snapshot, items[i].row, now, d.grace)
	}
	for _, portal := range byPortal(items) {
		if err := d.guard(ctx, tx, portal, now); err != nil {
			return preparation{err}
		}
	}
	return d.store(ctx, tx, items, load)
}

// byPortal cuts the items, which are ordered, where a new portal begins.
func byPortal(items []item) [][]item {
	var portals [][]item
	for start := 0; start < len(items); {
		end := start
		for end < len(items) && items[end].snapshot.MemberID == items[start].snapshot.MemberID {
			end++
		}
		portals = append(portals, items[start:end])
		start = end
	}
	return portals
}

// fence refuses what a former owner has read. The epoch stays locked, so that nobody
// takes over until this is written.
func (d *DB) fence(ctx context.Context, tx *sql.Tx, items []item) error {
	member := items[0].snapshot.MemberID
	var epoch int64
	err := tx.QueryRowContext(ctx, d.dialect.sql.OwnerEpoch, sql.Named("member_id", member)).Scan(&epoch)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for i := range items {
		if drawn := items[i].snapshot.Ticket.Epoch(); drawn < epoch {
			return fmt.Errorf("%w: a ticket of %s is of epoch %d, the portal is in %d", ErrNotOwner, member, drawn, epoch)
		}
	}
	return nil
}

// lock finds the rows of one portal's items and keeps them until the transaction ends.
func (d *DB) lock(ctx context.Context, tx *sql.Tx, items []item) error {
	byID := make(map[int64]*item, len(items))
	for i := range items {
		items[i].row = nil // of a former try
		byID[items[i].snapshot.LeadID] = &items[i]
	}
	ids, err := idList(slices.Collect(maps.Keys(byID)))
	if err != nil {
		return err
	}
	member := items[0].snapshot.MemberID
	rows, err := query(ctx, tx, scanCurrent, d.dialect.sql.LeadsLock,
		sql.Named("member_id", member), sql.Named("ids", ids))
	if err != nil {
		return err
	}
	for i := range rows {
		byID[rows[i].id].row = &rows[i]
	}
	return d.lookCloser(ctx, tx, member, byID)
}

// lookCloser reads the columns of rows that are to be rewritten by force.
func (d *DB) lookCloser(ctx context.Context, tx *sql.Tx, memberID string, byID map[int64]*item) error {
	var forced []int64
	for id, it := range byID {
		if it.snapshot.Force && it.row != nil {
			forced = append(forced, id)
		}
	}
	if len(forced) == 0 {
		return nil
	}
	held, err := d.heldRows(ctx, tx, memberID, forced)
	if err != nil {
		return err
	}
	for i := range held {
		byID[held[i].LeadID].row.held = &held[i]
	}
	return nil
}

func scanCurrent(row scanner) (c current, err error) {
	var raw string
	err = row.Scan(&c.id, &c.ticket, &c.revision, textColumn{&c.hash}, instantColumn{&c.readAt},
		instantColumn{&c.deleted}, instantColumn{&c.absentSince}, textColumn{&raw})
	c.raw = json.RawMessage(raw)
	return c, err
}
