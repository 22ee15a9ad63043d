package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/guide"
	"leadsync/leads"
	"leadsync/retry"
)

// refillLog is the number of leads after which a refill logs its progress.
const refillLog = 50_000

// refillBatch is how many leads a refill writes in one transaction. Other writers wait that
// long.
const refillBatch = 200

// beingFilled stands in place of the rules while a refill runs. If the refill is
// interrupted, the table does not count as filled by the former rules.
const beingFilled = "being filled"

// Refill fills side tables again, from contacts and stored cards, where they were filled by
// other rules than this process has, or never. Before that it cleans stored cards
// (cleanCards). It returns the names of those tables.
// Without a solution field it only deletes rows of bitrix_lead_solution that an earlier
// setting has filled. Apply, which may run at the same time, already writes by the new
// rules. After each transaction Refill pauses for as long as it took, so that others can
// lock the leads. If it is interrupted, the next call starts from the beginning.
func (d *DB) Refill(ctx context.Context) (tables []string, err error) {
	ctx = patient(ctx)
	if tables, err = d.cleanCards(ctx); err != nil {
		return nil, err
	}
	outdated, err := d.outdated(ctx, d.read)
	if err != nil || len(outdated) == 0 {
		return tables, wrap(d.explain(ctx, err), "read the rules of the side tables")
	}
	for _, s := range outdated {
		if err := d.saveSetting(ctx, s.setting, beingFilled); err != nil {
			return nil, fmt.Errorf("store that %s is being filled: %w", s.table, err)
		}
		tables = append(tables, s.table)
	}
	portals, err := d.Portals(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range portals {
		if err := d.refillPortal(ctx, p.MemberID, outdated); err != nil {
			return nil, fmt.Errorf("fill %v of %s: %w", tables, p.MemberID, err)
		}
	}
	for _, s := range outdated {
		if err := d.saveSetting(ctx, s.setting, s.rules(d.rules)); err != nil {
			return nil, fmt.Errorf("store the rules of %s: %w", s.table, err)
		}
	}
	return tables, nil
}

// setting is a row of leadsync_settings.
type setting struct{ name, value string }

// outdated returns the side tables that were filled by other rules than those of d.
func (d *DB) outdated(ctx context.Context, q querier) ([]side, error) {
	kept, err := d.settings(ctx, q)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(sides), func(s side) bool { return kept[s.setting] == s.rules(d.rules) }), nil
}

func (d *DB) settings(ctx context.Context, q querier) (map[string]string, error) {
	ctx, cancel := d.limits.within(ctx)
	defer cancel()
	list, err := query(ctx, q, scanSetting, d.dialect.sql.SettingList)
	return settingsOf(list), err
}

func scanSetting(row scanner) (s setting, err error) {
	err = row.Scan(&s.name, textColumn{&s.value})
	return s, err
}

func settingsOf(list []setting) map[string]string {
	kept := make(map[string]string, len(list))
	for _, s := range list {
		kept[s.name] = s.value
	}
	delete(kept, claimSetting) // no rule of a table
	return kept
}

// saveSetting stores a setting.
func (d *DB) saveSetting(ctx context.Context, name, value string) error {
	args := []any{sql.Named("name", name), sql.Named("value", value)}
	return d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, d.dialect.sql.SettingUpdate, args...)
		if err == nil && n == 0 {
			_, err = affect(ctx, tx, d.dialect.sql.SettingInsert, args...)
		}
		return err
	})
}

// ErrOtherRules says that the side tables were filled by other settings than this process
// has.
var ErrOtherRules = guide.At(guide.Refill, errors.New("the database was filled with other settings"))

// CheckRules returns ErrOtherRules where the operator's settings are not those by which the
// side tables were filled: a process that writes leads nevertheless would mix both. It is
// nil where no table was filled yet.
func (d *DB) CheckRules(ctx context.Context) error {
	kept, err := d.settings(ctx, d.read)
	delete(kept, ownFailuresSetting) // which is no rule
	if err != nil || len(kept) == 0 {
		return wrap(d.explain(ctx, err), "read the rules of the side tables")
	}
	for _, s := range sides {
		if s.variable != "" && kept[s.setting] != s.rules(d.rules) {
			return fmt.Errorf("%w: %s was filled with another %s or by another version, want the setting of the service", ErrOtherRules, s.table, s.variable)
		}
	}
	return nil
}

func (d *DB) refillPortal(ctx context.Context, memberID string, outdated []side) error {
	return d.eachLead(ctx, memberID, func(ctx context.Context, tx *sql.Tx, ids []int64) error {
		return d.refill(ctx, tx, memberID, ids, outdated)
	})
}

// eachLead calls do for all leads of a portal, refillBatch in a transaction. After each it
// pauses for as long as it took.
func (d *DB) eachLead(ctx context.Context, memberID string, do func(context.Context, *sql.Tx, []int64) error) error {
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
		if err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return do(ctx, tx, ids) }); err != nil {
			return err
		}
		if n += len(ids); n%refillLog < len(ids) {
			d.log.InfoContext(ctx, "bringing rows up to date with the rules", "member_id", memberID, "leads", n)
		}
		if err := retry.Wait(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}

// refill brings the rows of these leads in the outdated tables up to date. It locks the leads first,
// as Apply does, so that neither overwrites newer data of the other.
func (d *DB) refill(ctx context.Context, tx *sql.Tx, memberID string, ids []int64, outdated []side) error {
	which, err := idList(ids)
	if err != nil {
		return err
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("ids", which)}
	if _, err := query(ctx, tx, scanLocked, d.dialect.sql.LeadsLock, args...); err != nil {
		return err
	}
	found, err := query(ctx, tx, scanStored, d.dialect.sql.LeadsLook, args...)
	if err != nil {
		return err
	}
	have, err := d.sidesOf(ctx, tx, memberID, ids)
	if err != nil {
		return err
	}
	r := d.newRows()
	if r.columns, err = d.tableColumns(ctx, tx); err != nil {
		return err
	}
	cards, withCard := cardsOf(found, have.contacts)
	all := setOf(ids)
	for _, s := range outdated {
		of := all
		if s.needsCard {
			of = withCard // adopted rows stay until their leads are read
		}
		s.found(r, &have, of)
		for i := range cards {
			s.add(r, leads.Ref{MemberID: memberID, LeadID: cards[i].ID}, &cards[i])
		}
	}
	return d.storeRows(ctx, tx, r, d.dialect.load)
}

func setOf(ids []int64) map[int64]bool {
	m := make(map[int64]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// cardsOf returns the stored cards of leads, with their contacts as they are now, and the
// ids of the leads that have a stored card. The card of a tombstone is empty.
func cardsOf(found []storedRow, contacts []sideRow[leads.Contact]) (cards []leads.Lead, withCard map[int64]bool) {
	withCard = map[int64]bool{}
	values := make(map[int64][]leads.Contact, len(found))
	for _, c := range contacts {
		values[c.leadID] = append(values[c.leadID], c.value)
	}
	for _, row := range found {
		lead := leads.Lead{}
		if stored, err := leads.Parse(row.raw); err == nil {
			withCard[row.id] = true
			if row.deleted.IsZero() {
				lead = stored
			}
		}
		lead.ID, lead.Contacts = row.id, values[row.id]
		cards = append(cards, lead)
	}
	return cards, withCard
}
