package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// refillLog is after how many leads a refill says how far it is.
const refillLog = 50_000

// refillBatch is how many leads are filled in one transaction: whoever writes leads waits
// that long for it.
const refillBatch = 200

// beingFilled is no rules at all: a refill that was cut short is not taken for what was
// there before, although the settings become what they were.
const beingFilled = "being filled"

// Refill fills side tables anew, from contacts and stored cards, where they were filled by
// other rules than this process goes by, or not at all; it names them. Without a solution
// field only rows that an earlier setting has put into bitrix_lead_solution go. What Apply
// writes meanwhile is right already. It rests as long as it works, so that others get at
// the leads. Cut short, it begins anew the next time.
func (d *DB) Refill(ctx context.Context) (tables []string, err error) {
	stale, err := d.stale(ctx, d.read)
	if err != nil || len(stale) == 0 {
		return nil, wrapped(d.explain(ctx, err), "read how the tables were filled")
	}
	for _, s := range stale {
		if err := d.keep(ctx, s.setting, beingFilled); err != nil {
			return nil, fmt.Errorf("note that %s is being filled: %w", s.table, err)
		}
		tables = append(tables, s.table)
	}
	portals, err := d.Portals(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range portals {
		if err := d.refillPortal(ctx, p.MemberID, stale); err != nil {
			return nil, fmt.Errorf("fill %v of %s: %w", tables, p.MemberID, err)
		}
	}
	for _, s := range stale {
		if err := d.keep(ctx, s.setting, s.rules(d.rules)); err != nil {
			return nil, fmt.Errorf("note how %s is filled: %w", s.table, err)
		}
	}
	return tables, nil
}

// setting is one of leadsync_settings.
type setting struct{ name, value string }

// stale are the side tables that were filled by other rules than ours.
func (d *DB) stale(ctx context.Context, q querier) ([]side, error) {
	kept, err := d.settings(ctx, q)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(sides), func(s side) bool { return kept[s.setting] == s.rules(d.rules) }), nil
}

func (d *DB) settings(ctx context.Context, q querier) (map[string]string, error) {
	list, err := query(ctx, q, func(row scanner) (s setting, err error) {
		err = row.Scan(&s.name, textColumn{&s.value})
		return s, err
	}, d.dialect.sql.SettingList)
	kept := make(map[string]string, len(list))
	for _, s := range list {
		kept[s.name] = s.value
	}
	return kept, err
}

// keep writes a setting.
func (d *DB) keep(ctx context.Context, name, value string) error {
	args := []any{sql.Named("name", name), sql.Named("value", value)}
	return d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, d.dialect.sql.SettingUpdate, args...)
		if err == nil && n == 0 {
			_, err = affect(ctx, tx, d.dialect.sql.SettingInsert, args...)
		}
		return err
	})
}

// ErrOtherRules says that the side tables are kept by other settings than this process has.
var ErrOtherRules = errors.New("the database is kept by other settings")

// CheckRules is ErrOtherRules where what an operator sets is not what the tables were
// filled by: a process that wrote leads nevertheless would mix them. It is nil where
// nothing was filled yet.
func (d *DB) CheckRules(ctx context.Context) error {
	kept, err := d.settings(ctx, d.read)
	if err != nil || len(kept) == 0 {
		return wrapped(d.explain(ctx, err), "read how the tables were filled")
	}
	for _, s := range sides {
		if s.variable != "" && kept[s.setting] != s.rules(d.rules) {
			return fmt.Errorf("%w: %s is not filled by this %s, or not by this version", ErrOtherRules, s.table, s.variable)
		}
	}
	return nil
}

func (d *DB) refillPortal(ctx context.Context, memberID string, stale []side) error {
	for after, n := int64(0), 0; ; {
		rows, err := d.IDs(ctx, memberID, after, leads.MaxID, refillBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].LeadID
		ids := make([]int64, len(rows))
		for i := range rows {
			ids[i] = rows[i].LeadID
		}
		began := time.Now()
		err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.refill(ctx, tx, memberID, ids, stale) })
		if err != nil {
			return err
		}
		if n += len(ids); n%refillLog < len(ids) {
			d.log.InfoContext(ctx, "tables are being filled anew", "member_id", memberID, "leads", n)
		}
		if err := sleep(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// refill replaces what the stale tables have of these leads by what is known of them now.
// The rows are locked first, as Apply does, so that neither overtakes the other.
func (d *DB) refill(ctx context.Context, tx *sql.Tx, memberID string, ids []int64, stale []side) error {
	which, err := idList(ids)
	if err != nil {
		return err
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("ids", which)}
	found, err := query(ctx, tx, scanCurrent, d.dialect.sql.LeadsLock, args...)
	if err != nil {
		return err
	}
	contacts, err := query(ctx, tx, scanContact, d.dialect.sql.RowGetContacts, args...)
	if err != nil {
		return err
	}
	cards, carded := cardsOf(found, contacts)
	withCard, err := idList(carded)
	if err != nil {
		return err
	}
	r := rows{now: d.now()}
	for _, s := range stale {
		of := which
		if s.carded {
			of = withCard // a former program's rows stay until their leads are read
		}
		if _, err := tx.ExecContext(ctx, s.remove(d.dialect.sql), sql.Named("member_id", memberID), sql.Named("ids", of)); err != nil {
			return err
		}
		for i := range cards {
			s.add(&r, leads.Ref{MemberID: memberID, LeadID: cards[i].ID}, &cards[i], d.rules)
		}
	}
	return d.storeRows(ctx, tx, &r, d.dialect.load)
}

// cardsOf are the leads' cards as they were written, with their contacts as they stand;
// carded are those that have been written at all. Nothing is left of a tombstone's.
func cardsOf(found []current, contacts []owned[leads.Contact]) (cards []leads.Lead, carded []int64) {
	values := make(map[int64][]leads.Contact, len(found))
	for _, c := range contacts {
		values[c.leadID] = append(values[c.leadID], c.it)
	}
	for _, row := range found {
		lead := leads.Lead{}
		if stored, err := leads.Parse(row.raw); err == nil {
			carded = append(carded, row.id)
			if row.deleted.IsZero() {
				lead = stored
			}
		}
		lead.ID, lead.Contacts = row.id, values[row.id]
		cards = append(cards, lead)
	}
	return cards, carded
}
