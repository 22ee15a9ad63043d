package leads

import (
	"slices"
	"strings"
)

// Rules say how a mirror's side tables are filled from a card.
type Rules struct {
	Region   string // country of phone numbers without a country code, ISO 3166-1
	Solution string // the custom field that is kept as the lead's solution; "" none
}

// Sides is what a mirror holds of a lead beside its row and contacts, and the rules it
// was filled by.
type Sides struct {
	Rules
	Phones    []PhoneKey   // in their order
	Fields    []FieldValue // in any order
	Solutions []string     // one, where it has one
}

// FieldRules names the rules of FieldValues and Solution, as PhoneRules does for numbers.
const FieldRules = "1"

// solutionColumn is the width of the seed's sql_solution.
var solutionColumn = Field{Max: 2000}

// Solution is the text of a custom field as the seed's column holds it: of several values,
// all; "" where it is empty. Whole is false where the column cuts it.
func (l *Lead) Solution(field string) (text string, whole bool) {
	if field == "" {
		return "", true
	}
	return solution(l.FieldValues(), field)
}

func solution(values []FieldValue, field string) (text string, whole bool) {
	var texts []string
	for _, v := range values {
		if v.Field == field {
			texts = append(texts, v.Value)
		}
	}
	text = strings.Join(texts, ", ")
	return solutionColumn.Column(text), solutionColumn.Holds(text)
}

// differences names the fields of which the side tables do not hold what they should for
// a card.
func (s *Sides) differences(lead *Lead) []string {
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
	if text, _ := solution(values, s.Solution); text != "" {
		want = []string{text}
	}
	if !slices.Equal(s.Solutions, want) {
		names = append(names, s.Solution)
	}
	return names
}

// fieldDifferences names the fields of which one side has a value that the other lacks.
func fieldDifferences(held, shown []FieldValue) []string {
	if slices.Equal(held, shown) {
		return nil // as mostly, where the database orders names as Go does
	}
	balance := make(map[FieldValue]int, len(shown))
	for _, v := range held {
		balance[v]++
	}
	for _, v := range shown {
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
