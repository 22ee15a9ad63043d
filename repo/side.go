package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"leadsync/leads"
	leadsql "leadsync/sql"
)

// phoneRegion is the country of numbers without a country code, where none is given.
const phoneRegion = "RU"

// side is a table that is filled from the leads' cards by rules that may change: with a
// version of leadsync, or with what the operator sets. leadsync_settings keeps by which.
type side struct {
	table   string
	setting string
	// variable is what the operator sets; "" nothing.
	variable string
	rules    func(leads.Rules) string
	// carded tells that the stored card is needed; the contacts are enough otherwise.
	carded bool
	add    func(*rows, leads.Ref, *leads.Lead, leads.Rules)
	remove func(*leadsql.Statements) string // the rows of some leads
}

var sides = []side{
	{
		table: "leadsync_phones", setting: "phone_keys", variable: "LEADSYNC_PHONE_REGION",
		rules:  func(r leads.Rules) string { return leads.PhoneRules + " " + r.Region },
		add:    addPhones,
		remove: func(s *leadsql.Statements) string { return s.PhonesDeleteRows },
	},
	{
		table: "leadsync_lead_fields", setting: "lead_fields", carded: true,
		rules:  func(leads.Rules) string { return leads.FieldRules },
		add:    addFields,
		remove: func(s *leadsql.Statements) string { return s.FieldsDeleteRows },
	},
	{
		table: "bitrix_lead_solution", setting: "solution_field", variable: "LEADSYNC_SOLUTION_FIELD", carded: true,
		rules:  solutionRules,
		add:    addSolution,
		remove: func(s *leadsql.Statements) string { return s.SolutionDeleteRows },
	},
}

// solutionRules are "" where the table is left alone.
func solutionRules(r leads.Rules) string {
	if r.Solution == "" {
		return ""
	}
	return leads.FieldRules + " " + r.Solution
}

var phoneColumns = []string{"digits10", "member_id", "lead_id", "contact_id", "position", "e164", "extension", "repeated"}

func addPhones(r *rows, ref leads.Ref, lead *leads.Lead, by leads.Rules) {
	for i, k := range lead.Phones(by.Region) {
		r.phones = append(r.phones, []any{
			k.Digits, ref.MemberID, ref.LeadID, text(k.ContactID), i + 1, text(k.E164), text(k.Extension), k.Repeated,
		})
	}
}

func addFields(r *rows, ref leads.Ref, lead *leads.Lead, _ leads.Rules) {
	for _, v := range lead.FieldValues() {
		r.fields = append(r.fields, []any{ref.MemberID, ref.LeadID, v.Field, v.Position, v.Value})
	}
}

func addSolution(r *rows, ref leads.Ref, lead *leads.Lead, by leads.Rules) {
	if chosen, _ := lead.Solution(by.Solution); chosen != "" {
		r.solutions = append(r.solutions, []any{ref.MemberID, ref.LeadID, chosen})
	}
}

// refillLog is after how many leads a refill says how far it is.
const refillLog = 50_000

// Refill fills side tables anew, from contacts and stored cards, where they were filled by
// other rules than this process goes by, or not at all; it names them. Without a solution
// field only rows that an earlier setting has put into bitrix_lead_solution go. What Apply
// writes meanwhile is right already. Cut short, it begins anew the next time.
func (d *DB) Refill(ctx context.Context) (tables []string, err error) {
	stale, err := d.stale(ctx, d.read)
	if err != nil || len(stale) == 0 {
		return nil, wrapped(d.explain(ctx, err), "read how the tables were filled")
	}
	for _, s := range stale {
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
// filled by: a process that wrote leads nevertheless would mix them.
func (d *DB) CheckRules(ctx context.Context) error {
	kept, err := d.settings(ctx, d.read)
	if err != nil {
		return wrapped(d.explain(ctx, err), "read how the tables were filled")
	}
	for _, s := range sides {
		if was, ok := kept[s.setting]; ok && s.variable != "" && was != s.rules(d.rules) {
			return fmt.Errorf("%w: %s is filled for another %s", ErrOtherRules, s.table, s.variable)
		}
	}
	return nil
}

func (d *DB) refillPortal(ctx context.Context, memberID string, stale []side) error {
	for after, n := int64(0), 0; ; {
		rows, err := d.IDs(ctx, memberID, after, leads.MaxID, batchSize)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].LeadID
		ids := make([]int64, len(rows))
		for i := range rows {
			ids[i] = rows[i].LeadID
		}
		err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.refill(ctx, tx, memberID, ids, stale) })
		if err != nil {
			return err
		}
		if n += len(ids); n%refillLog < len(ids) {
			d.log.InfoContext(ctx, "tables are being filled anew", "member_id", memberID, "leads", n)
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
	contacts, err := query(ctx, tx, scanContact, d.dialect.sql.HeldRowsContacts, args...)
	if err != nil {
		return err
	}
	cards, carded := cardsOf(found, contacts)
	withCard, err := idList(carded)
	if err != nil {
		return err
	}
	var r rows
	for _, s := range stale {
		if s.carded {
			args[1] = sql.Named("ids", withCard) // a former program's rows stay until their leads are read
		} else {
			args[1] = sql.Named("ids", which)
		}
		if _, err := tx.ExecContext(ctx, s.remove(d.dialect.sql), args...); err != nil {
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
func cardsOf(found []current, contacts []of[leads.Contact]) (cards []leads.Lead, carded []int64) {
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

// sideStatements read what the side tables hold of some leads.
type sideStatements struct{ phones, fields, solutions string }

// addSides gives the rows what the side tables hold of them. While those are being filled
// by other rules nothing can be said of them.
func (d *DB) addSides(ctx context.Context, tx *sql.Tx, rows []leads.Held, s sideStatements, args ...any) error {
	stale, err := d.stale(ctx, tx)
	if err != nil || len(stale) > 0 {
		return err
	}
	for i := range rows {
		rows[i].Sides = &leads.Sides{Rules: d.rules}
	}
	phones, err := query(ctx, tx, scanPhone, s.phones, args...)
	if err != nil {
		return err
	}
	deal(rows, phones, func(h *leads.Held, k leads.PhoneKey) { h.Sides.Phones = append(h.Sides.Phones, k) })
	fields, err := query(ctx, tx, scanField, s.fields, args...)
	if err != nil {
		return err
	}
	deal(rows, fields, func(h *leads.Held, v leads.FieldValue) { h.Sides.Fields = append(h.Sides.Fields, v) })
	if d.rules.Solution == "" {
		return nil
	}
	solutions, err := query(ctx, tx, scanSolution, s.solutions, args...)
	deal(rows, solutions, func(h *leads.Held, text string) { h.Sides.Solutions = append(h.Sides.Solutions, text) })
	return err
}

func scanPhone(row scanner) (p of[leads.PhoneKey], err error) {
	k := &p.it
	err = row.Scan(&p.leadID, &k.Digits, textColumn{&k.E164}, textColumn{&k.Extension}, textColumn{&k.ContactID}, &k.Repeated)
	return p, err
}

func scanField(row scanner) (f of[leads.FieldValue], err error) {
	err = row.Scan(&f.leadID, &f.it.Field, &f.it.Position, textColumn{&f.it.Value})
	return f, err
}

func scanSolution(row scanner) (s of[string], err error) {
	err = row.Scan(&s.leadID, textColumn{&s.it})
	return s, err
}
