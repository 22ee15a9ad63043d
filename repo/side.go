package repo

import (
	"context"

	"leadsync/leads"
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
	add       func(*rows, leads.Ref, *leads.Lead)
	// found adds what the table has to what is compared.
	found func(*rows, *foundSides, map[int64]bool)
}

var sides = []side{
	{
		table: "leadsync_phones", setting: "phone_keys", variable: "LEADSYNC_PHONE_REGION",
		rules: func(r leads.Rules) string { return leads.PhoneRules + " " + r.Region },
		add:   addPhones,
		found: func(r *rows, f *foundSides, of map[int64]bool) { r.phones.found(f.phones, of) },
	},
	{
		table: "leadsync_lead_fields", setting: "lead_fields", needsCard: true,
		rules: func(leads.Rules) string { return leads.FieldRules },
		add:   addFields,
		found: func(r *rows, f *foundSides, of map[int64]bool) { r.fields.found(f.fields, of) },
	},
	{
		table: "bitrix_lead_solution", setting: "solution_field", variable: "LEADSYNC_SOLUTION_FIELD", needsCard: true,
		rules: solutionRules,
		add:   addSolution,
		found: func(r *rows, f *foundSides, of map[int64]bool) { r.solutions.found(f.solutions, of) },
	},
}

// solutionRules are "" where leadsync does not fill the table.
func solutionRules(r leads.Rules) string {
	if r.Solution == "" {
		return ""
	}
	return leads.FieldRules + " " + r.Solution
}

func addPhones(r *rows, ref leads.Ref, lead *leads.Lead) {
	for _, k := range lead.Phones(r.by.Region) {
		r.phones.want(ref, k)
	}
}

func addFields(r *rows, ref leads.Ref, lead *leads.Lead) {
	for _, v := range lead.FieldValues() {
		r.fields.want(ref, v)
	}
}

func addSolution(r *rows, ref leads.Ref, lead *leads.Lead) {
	chosen, whole := lead.Solution(r.by.Solution, r.columns.widths)
	if chosen != "" {
		r.solutions.want(ref, chosen)
	}
	if !whole {
		r.cuts = append(r.cuts, cutRow(ref, "bitrix_lead_solution", r.now))
	}
}

// sideStatements read the side tables for some leads.
type sideStatements struct{ phones, fields, solutions string }

// addSides reads the side tables for the rows. While a table is filled by other rules it
// leaves Sides nil.
func (d *DB) addSides(ctx context.Context, q querier, rows []leads.Row, s sideStatements, args ...any) error {
	outdated, err := d.outdated(ctx, q)
	if err != nil || len(outdated) > 0 {
		return err
	}
	for i := range rows {
		rows[i].Sides = &leads.Sides{Rules: d.rules}
	}
	phones, err := query(ctx, q, scanPhone, s.phones, args...)
	if err != nil {
		return err
	}
	distribute(rows, phones, func(r *leads.Row, k leads.PhoneKey) { r.Sides.Phones = append(r.Sides.Phones, k) })
	fields, err := query(ctx, q, scanField, s.fields, args...)
	if err != nil {
		return err
	}
	distribute(rows, fields, func(r *leads.Row, v leads.FieldValue) { r.Sides.Fields = append(r.Sides.Fields, v) })
	if d.rules.Solution == "" {
		return nil
	}
	solutions, err := query(ctx, q, scanSolution, s.solutions, args...)
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
