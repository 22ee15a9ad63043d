package repo

import (
	"context"
	"database/sql"

	"leadsync/leads"
	leadsql "leadsync/sql"
)

// phoneRegion is the default of Config.PhoneRegion.
const phoneRegion = "RU"

// side is a side table: filled from the leads' cards by rules that change with the version
// of leadsync or with the operator's settings. leadsync_settings stores the rules by which
// the table was filled.
type side struct {
	table   string
	setting string // its name in leadsync_settings
	// variable is the environment variable of the rules; "" where there is none.
	variable string
	rules    func(leads.Rules) string
	// needsCard says that the table is filled from the stored card; otherwise from contacts.
	needsCard bool
	add       func(*rows, leads.Ref, *leads.Lead, leads.Rules)
	remove    func(*leadsql.Statements) string // the statement that deletes the rows of some leads
}

var sides = []side{
	{
		table: "leadsync_phones", setting: "phone_keys", variable: "LEADSYNC_PHONE_REGION",
		rules:  func(r leads.Rules) string { return leads.PhoneRules + " " + r.Region },
		add:    addPhones,
		remove: func(s *leadsql.Statements) string { return s.PhonesDeleteRows },
	},
	{
		table: "leadsync_lead_fields", setting: "lead_fields", needsCard: true,
		rules:  func(leads.Rules) string { return leads.FieldRules },
		add:    addFields,
		remove: func(s *leadsql.Statements) string { return s.FieldsDeleteRows },
	},
	{
		table: "bitrix_lead_solution", setting: "solution_field", variable: "LEADSYNC_SOLUTION_FIELD", needsCard: true,
		rules:  solutionRules,
		add:    addSolution,
		remove: func(s *leadsql.Statements) string { return s.SolutionDeleteRows },
	},
}

// solutionRules are "" where leadsync does not fill the table.
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

// sideStatements read the side tables for some leads.
type sideStatements struct{ phones, fields, solutions string }

// addSides reads the side tables for the rows. While a table is filled by other rules it
// leaves Sides nil.
func (d *DB) addSides(ctx context.Context, tx *sql.Tx, rows []leads.Row, s sideStatements, args ...any) error {
	outdated, err := d.outdated(ctx, tx)
	if err != nil || len(outdated) > 0 {
		return err
	}
	for i := range rows {
		rows[i].Sides = &leads.Sides{Rules: d.rules}
	}
	phones, err := query(ctx, tx, scanPhone, s.phones, args...)
	if err != nil {
		return err
	}
	distribute(rows, phones, func(r *leads.Row, k leads.PhoneKey) { r.Sides.Phones = append(r.Sides.Phones, k) })
	fields, err := query(ctx, tx, scanField, s.fields, args...)
	if err != nil {
		return err
	}
	distribute(rows, fields, func(r *leads.Row, v leads.FieldValue) { r.Sides.Fields = append(r.Sides.Fields, v) })
	if d.rules.Solution == "" {
		return nil
	}
	solutions, err := query(ctx, tx, scanSolution, s.solutions, args...)
	if err != nil {
		return err
	}
	distribute(rows, solutions, func(r *leads.Row, text string) { r.Sides.Solutions = append(r.Sides.Solutions, text) })
	return nil
}

func scanPhone(row scanner) (p ofLead[leads.PhoneKey], err error) {
	k := &p.value
	err = row.Scan(&p.leadID, &k.Digits, textColumn{&k.E164}, textColumn{&k.Extension}, textColumn{&k.ContactID}, &k.Repeated,
		&k.Position, &k.Closed, instantColumn{&k.CreatedAt})
	return p, err
}

func scanField(row scanner) (f ofLead[leads.FieldValue], err error) {
	err = row.Scan(&f.leadID, &f.value.Field, &f.value.Position, textColumn{&f.value.Value})
	return f, err
}

func scanSolution(row scanner) (s ofLead[string], err error) {
	err = row.Scan(&s.leadID, textColumn{&s.value})
	return s, err
}
