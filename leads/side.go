package leads

import (
	"slices"
	"strings"
)

// Rules are the settings by which the side tables are filled from a card.
type Rules struct {
	Region   string // country of phone numbers without a country code, ISO 3166-1
	Solution string // the custom field copied to bitrix_lead_solution; "" copies none
}

// Sides are a lead's rows in the side tables (leadsync_phones, leadsync_lead_fields,
// bitrix_lead_solution), and the rules by which they were filled.
type Sides struct {
	Rules
	Phones    []PhoneKey   // in the order of Lead.Phones
	Fields    []FieldValue // in any order
	Solutions []string     // at most one, unless somebody has edited the table
}

// FieldRules is the version of the rules of FieldValues and Solution. Change it with them:
// mirrors then fill the tables again.
const FieldRules = "2"

// solutionColumn is the width of sql_solution in bitrix_lead_solution.
var solutionColumn = Field{Max: 2000}

// Solution returns the text of a custom field for bitrix_lead_solution, several values
// separated by ", "; "" where the field is empty. whole is false where the column cuts it.
func (l *Lead) Solution(field string, w Widths) (text string, whole bool) {
	if field == "" {
		return "", true
	}
	return solution(l.FieldValues(), field, w.solution())
}

func solution(values []FieldValue, field string, column Field) (text string, whole bool) {
	var texts []string
	for _, v := range values {
		if v.Field == field {
			texts = append(texts, v.Value)
		}
	}
	text = strings.Join(texts, ", ")
	return column.Column(text), column.Holds(text)
}

// differences names the fields for which the side tables differ from a card.
func (s *Sides) differences(lead *Lead, w Widths) []string {
	var names []string
	if !slices.Equal(s.Phones, lead.Phones(s.Region)) {
		names = append(names, "PHONE")
	}
	values := lead.FieldValues()
	names = append(names, fieldDifferences(s.Fields, values)...)
	if s.Solution == "" {
		return names
	}
	var want []string
	if text, _ := solution(values, s.Solution, w.solution()); text != "" {
		want = []string{text}
	}
	if !slices.Equal(s.Solutions, want) {
		names = append(names, s.Solution)
	}
	return names
}

// fieldDifferences names the fields with a value that only one of the lists has.
func fieldDifferences(stored, current []FieldValue) []string {
	if slices.Equal(stored, current) {
		return nil // the usual case, where the database sorts names as Go does
	}
	balance := make(map[FieldValue]int, len(current))
	for _, v := range stored {
		balance[v]++
	}
	for _, v := range current {
		balance[v]--
	}
	var names []string
	for v, n := range balance {
		if n != 0 {
			names = append(names, v.Field)
		}
	}
	return names
}
