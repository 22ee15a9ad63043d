package repo

import (
	"context"
	"database/sql"

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

var phoneColumns = []string{"digits10", "member_id", "lead_id", "contact_id", "position", "e164", "extension", "repeated", "closed", "created_at"}

func addPhones(r *rows, ref leads.Ref, lead *leads.Lead, by leads.Rules) {
	for _, k := range lead.Phones(by.Region) {
		r.phones = append(r.phones, []any{
			k.Digits, ref.MemberID, ref.LeadID, text(k.ContactID), k.Position, text(k.E164), text(k.Extension), k.Repeated,
			k.Closed, exact(k.CreatedAt),
		})
	}
}

func addFields(r *rows, ref leads.Ref, lead *leads.Lead, _ leads.Rules) {
	for _, v := range lead.FieldValues() {
		r.fields = append(r.fields, []any{ref.MemberID, ref.LeadID, v.Field, v.Position, v.Value})
	}
}

func addSolution(r *rows, ref leads.Ref, lead *leads.Lead, by leads.Rules) {
	chosen, whole := lead.Solution(by.Solution)
	if chosen != "" {
		r.solutions = append(r.solutions, []any{ref.MemberID, ref.LeadID, chosen})
	}
	if !whole {
		r.cuts = append(r.cuts, cutRow(ref, "bitrix_lead_solution", r.now))
	}
}

// sideStatements read what the side tables hold of some leads.
type sideStatements struct{ phones, fields, solutions string }

// addSides gives the rows what the side tables hold of them. While those are being filled
// by other rules nothing can be said of them.
func (d *DB) addSides(ctx context.Context, tx *sql.Tx, rows []leads.Row, s sideStatements, args ...any) error {
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
	deal(rows, phones, func(h *leads.Row, k leads.PhoneKey) { h.Sides.Phones = append(h.Sides.Phones, k) })
	fields, err := query(ctx, tx, scanField, s.fields, args...)
	if err != nil {
		return err
	}
	deal(rows, fields, func(h *leads.Row, v leads.FieldValue) { h.Sides.Fields = append(h.Sides.Fields, v) })
	if d.rules.Solution == "" {
		return nil
	}
	solutions, err := query(ctx, tx, scanSolution, s.solutions, args...)
	if err != nil {
		return err
	}
	deal(rows, solutions, func(h *leads.Row, text string) { h.Sides.Solutions = append(h.Sides.Solutions, text) })
	return nil
}

func scanPhone(row scanner) (p owned[leads.PhoneKey], err error) {
	k := &p.it
	err = row.Scan(&p.leadID, &k.Digits, textColumn{&k.E164}, textColumn{&k.Extension}, textColumn{&k.ContactID}, &k.Repeated,
		&k.Position, &k.Closed, instantColumn{&k.CreatedAt})
	return p, err
}

func scanField(row scanner) (f owned[leads.FieldValue], err error) {
	err = row.Scan(&f.leadID, &f.it.Field, &f.it.Position, textColumn{&f.it.Value})
	return f, err
}

func scanSolution(row scanner) (s owned[string], err error) {
	err = row.Scan(&s.leadID, textColumn{&s.it})
	return s, err
}
