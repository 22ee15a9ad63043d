package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// claimSetting is the row of leadsync_settings with the portal that claims, or has claimed, the
// rows of an adopted database.
const claimSetting = "claim"

// ErrClaimed says that another portal claims the rows meanwhile.
var ErrClaimed = errors.New("another portal claims the rows of the adopted database")

// Claimed is what a claim has done. After an interruption the counts are of the last call.
type Claimed struct {
	Leads, Contacts, Solutions, Failures int64 // rows that belong to the portal now
	Duplicates                           int64 // rows that moved to leadsync_duplicate_leads: the portal had the lead
	Outdated                             int64 // contacts and solutions that were deleted: leadsync has read newer ones
}

// Unclaimed returns the number of leads of an adopted database that belong to no portal.
func (d *DB) Unclaimed(ctx context.Context) (int64, error) {
	count, _, err := queryOne(ctx, d, scanInt, d.dialect.sql.UnclaimedCount)
	return count, wrap(err, "count leads of no portal")
}

// Claim gives all rows of an adopted database that belong to no portal to one. It works in small
// transactions and may run beside everything else; after an interruption the next call
// continues. The claim that a person starts last goes on, others end with ErrClaimed.
func (d *DB) Claim(ctx context.Context, memberID string, report func(Progress)) (Claimed, error) {
	if err := d.saveSetting(ctx, claimSetting, memberID); err != nil {
		return Claimed{}, wrap(err, "begin a claim for %s", memberID)
	}
	return d.claim(ctx, memberID, report)
}

// claim does what is left of a claim that was begun.
func (d *DB) claim(ctx context.Context, memberID string, report reporter) (c Claimed, err error) {
	m, closeAll := d.unlimited()
	defer closeAll()
	total, err := m.Unclaimed(ctx)
	if err != nil {
		return c, err
	}
	s := d.dialect.sql
	for _, table := range []struct {
		name  string
		total int64
		upto  string
		take  claimStep
		taken *int64
	}{
		{"duplicates", 0, s.ClaimDuplicatesUpto, claimStep{take: s.ClaimDuplicates}, new(int64)},
		{"leads", total, s.ClaimLeadsUpto, claimStep{take: s.ClaimLeads, losers: s.ClaimLeadsLosers}, &c.Leads},
		{"contacts", 0, s.ClaimContactsUpto, claimStep{take: s.ClaimContacts, outdated: s.ClaimContactsStale}, &c.Contacts},
		{"solutions", 0, s.ClaimSolutionsUpto, claimStep{take: s.ClaimSolutions, outdated: s.ClaimSolutionsStale}, &c.Solutions},
		{"import errors", 0, s.ClaimFailuresUpto, claimStep{take: s.ClaimFailures}, &c.Failures},
	} {
		done, err := m.inBatches(ctx, batches{
			step: table.name, total: table.total, upto: table.upto,
			do: func(ctx context.Context, tx *sql.Tx, from, to sql.NamedArg) (tally, error) {
				return m.claimBatch(ctx, tx, memberID, table.take, from, to)
			},
		}, report)
		*table.taken += done.changed
		c.Duplicates += done.moved
		c.Outdated += done.deleted
		if err != nil {
			return c, fmt.Errorf("claim the %s for %s: %w", table.name, memberID, err)
		}
	}
	return c, nil
}

// claimStep is what is done to the rows of one table. "" is not done.
type claimStep struct {
	losers   string // asks for the rows of leads that have another row of the same lead
	outdated string // deletes what leadsync has read newer
	take     string // gives the others to the portal
}

// claimBatch claims the rows of a batch. A lead that the portal gets at the same time by a read
// is a duplicate key; then the transaction runs again and finds it.
func (d *DB) claimBatch(ctx context.Context, tx *sql.Tx, memberID string, step claimStep, from, to sql.NamedArg) (t tally, err error) {
	member := sql.Named("member_id", memberID)
	held, err := affect(ctx, tx, d.dialect.sql.ClaimHold, sql.Named("name", claimSetting), member)
	if err == nil && held == 0 {
		err = ErrClaimed
	}
	if err != nil {
		return t, err
	}
	if step.losers != "" {
		losers, err := query(ctx, tx, scanInt, step.losers, member, from, to)
		if err != nil {
			return t, err
		}
		t.moved = int64(len(losers))
		if err := d.moveDuplicates(ctx, tx, memberID, losers); err != nil {
			return t, err
		}
	}
	if step.outdated != "" {
		if t.deleted, err = affect(ctx, tx, step.outdated, member, from, to); err != nil {
			return t, err
		}
	}
	t.changed, err = affect(ctx, tx, step.take, member, from, to)
	return t, err
}

// claimByItself claims for a portal that got an owner, where no person has to decide that. What
// is left without a portal is logged: reports show these leads beside the portals' own.
func (d *DB) claimByItself(ctx context.Context, memberID string) error {
	args := []any{sql.Named("member_id", memberID), sql.Named("name", claimSetting)}
	may, _, err := queryOne(ctx, d, scanInt, d.dialect.sql.ClaimAsk, args...)
	if err == nil && may > 0 {
		err = d.claimFirst(ctx, memberID)
	}
	if err != nil {
		return err
	}
	left, err := d.Unclaimed(ctx)
	if err == nil && left > 0 {
		d.log.WarnContext(ctx, "leads of an adopted database belong to no portal, run leadsync portals claim", "leads", left)
	}
	return err
}

// claimFirst claims unless another portal has begun to.
func (d *DB) claimFirst(ctx context.Context, memberID string) error {
	if _, err := d.exec(ctx, d.dialect.sql.SettingInsert, sql.Named("name", claimSetting), sql.Named("value", memberID)); err != nil {
		return err
	}
	done, err := d.claim(ctx, memberID, nil)
	if errors.Is(err, ErrClaimed) {
		return nil
	}
	d.log.InfoContext(ctx, "existing rows of the database now belong to this portal", "member_id", memberID, "leads", done.Leads, "duplicates", done.Duplicates)
	return err
}
