package repo

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
	"leadsync/leads/parts"
	"leadsync/parallel"
)

// batchSize is the most leads that one transaction writes. SQL Server locks the whole
// table when a statement locks 5,000 rows. SQLite locks it anyway, and half a page of a list fits
// better: a page takes two transactions, and each writes the pages of its indexes once.
const (
	batchSize       = 1000
	batchSizeSQLite = 1250
)

// leadsAtOnce is how many leads one core prepares at a time: the few of the live path are not worth a second one.
const leadsAtOnce = 100

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
	faults := make([]error, len(snapshots))
	parallel.For(len(snapshots), leadsAtOnce, func(i int) { faults[i] = valid(&snapshots[i]) })
	for i, fault := range faults {
		outcomes[i].Ref = snapshots[i].Ref
		if fault != nil {
			outcomes[i].Verdict, outcomes[i].Err = leads.Failed, fault
			continue
		}
		entries = append(entries, entry{snapshot: &snapshots[i], outcome: &outcomes[i]})
	}
	newest, superseded := newestPerLead(entries)
	for batch := range slices.Chunk(newest, d.dialect.batch) {
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
	case s.Sight == leads.Present && len(s.Lead.Raw) == 0, len(s.Lead.Raw) > 0 && !parts.Valid(s.Lead.Raw):
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
	by := manner{load: d.dialect.load}
	var previous error
	err := d.explain(ctx, d.attemptWithin(ctx, "transaction", func(ctx context.Context) error {
		if previous != nil && d.classify(previous) == faultBroken {
			by.load = loadPrepared // bulk copy may have broken the connection
		}
		by.touch = by.touch || errors.Is(previous, errStale)
		previous = d.applyOnce(ctx, entries, by)
		return previous
	}))
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

// manner is how a batch is written.
type manner struct {
	load loader
	// touch says to lock rows by writing them first: the locks of reading did not hold.
	touch bool
}

// applyOnce writes a batch. It reads the rows without locks, decides, and encodes and stages
// what is to be written; then it locks the rows and writes, if they are still as it read them.
// Readers wait only for that last part. If the rows have changed, it decides again about the
// rows that it has locked by then.
func (d *DB) applyOnce(ctx context.Context, entries []entry, by manner) error {
	var early *draft
	if !by.touch {
		var err error
		if early, err = d.prepare(ctx, d.read, entries, by.load); err != nil {
			return d.narrowed(ctx, err)
		}
	}
	err := d.tryOnce(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.applyTx(ctx, tx, entries, early, by) })
	return d.narrowed(ctx, err)
}

func (d *DB) applyTx(ctx context.Context, tx *sql.Tx, entries []entry, early *draft, by manner) error {
	if by.touch {
		if err := d.lockByWriting(ctx, tx, entries); err != nil {
			return setupError{err}
		}
	}
	if early != nil {
		if err := d.stage(ctx, tx, early.staged); err != nil {
			return err
		}
	}
	unchanged, err := d.lockAgain(ctx, tx, entries, early)
	switch {
	case err != nil:
		return setupError{err}
	case unchanged:
		return d.writeRows(ctx, tx, early.staged)
	case early != nil:
		if err := d.unstage(ctx, tx, early.staged); err != nil {
			return setupError{err}
		}
	}
	late, err := d.prepare(ctx, tx, entries, by.load)
	if err != nil {
		return err
	}
	if err := d.stage(ctx, tx, late.staged); err != nil {
		return err
	}
	return d.writeRows(ctx, tx, late.staged)
}

// draft is a batch about which everything is decided and encoded, and the settings when
// that was done.
type draft struct {
	staged   *staged
	settings map[string]string
}

// prepare reads the rows of a batch, decides, and encodes what is to be written. In a
// transaction the rows are locked. Without one it returns nil where the decision needs locks:
// deletions, which the breaker counts, and tables that are being filled (Refill writes there
// without raising tickets).
func (d *DB) prepare(ctx context.Context, q querier, entries []entry, load loader) (*draft, error) {
	p := &draft{}
	for _, portal := range byPortal(entries) {
		kept, err := d.readRows(ctx, q, portal)
		if err != nil {
			return nil, setupError{err}
		}
		if p.settings == nil { // those before all else that is read
			p.settings = kept
		}
	}
	now := d.now().UTC().Truncate(time.Millisecond)
	parallel.For(len(entries), leadsAtOnce, func(i int) {
		entries[i].decision = decide(entries[i].snapshot, entries[i].row, now, d.grace)
	})
	deletes := slices.ContainsFunc(entries, func(e entry) bool { return e.decision.outcome.Verdict == leads.Deleted })
	if tx, locked := q.(*sql.Tx); locked {
		for _, portal := range byPortal(entries) {
			if err := d.applyBreaker(ctx, tx, portal, now); err != nil {
				return nil, setupError{err}
			}
		}
	} else if deletes || filling(p.settings) {
		return nil, nil //nolint:nilnil // the decision needs locks
	}
	r, err := d.gather(ctx, q, entries)
	if err != nil {
		return nil, err
	}
	p.staged, err = d.encode(r, load)
	return p, err
}

// filling reports whether a refill is under way.
func filling(kept map[string]string) bool {
	for _, value := range kept {
		if value == beingFilled {
			return true
		}
	}
	return false
}
