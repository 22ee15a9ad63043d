package leads

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// FieldValue is one value of a custom field, a row of leadsync_lead_fields.
type FieldValue struct {
	Field    string // the field's name
	Position int    // among the field's values, from 0
	Value    string // text unchanged; true is "1"; lists and maps as JSON
}

// FieldType describes a custom field of a portal. Source: docs/bitrix24.md 6.4.
type FieldType struct {
	Field    string // the name, UF_CRM_…
	Type     string // string, enumeration, employee, file …
	Multiple bool
	Label    string // the name that people see; "" where it is unknown
}

// The widths of the columns of leadsync_field_types.
var (
	fieldNameColumn  = Field{Max: 128}
	fieldTypeColumn  = Field{Max: 64}
	fieldLabelColumn = Field{Max: 1000}
)

// Columns is the field as the mirror stores it: texts that are too long are cut.
func (t FieldType) Columns() FieldType {
	return FieldType{
		Field: fieldNameColumn.Column(validText(t.Field)), Type: fieldTypeColumn.Column(validText(t.Type)),
		Multiple: t.Multiple, Label: fieldLabelColumn.Column(validText(t.Label)),
	}
}

// columnName is the form of the names of fields. A card may contain any JSON name; fields
// with other names are kept only in raw_json.
var columnName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,127}$`)

// ValidFieldName reports whether a field of that name is kept in leadsync_lead_fields.
func ValidFieldName(s string) bool { return columnName.MatchString(s) }

// FieldValues returns the values of the custom fields, sorted by name and position. Values
// that are empty in the canonical form (null, "", "0", false, [] and {}) are left out: their
// hash is the same, so a change from one to another would not be written. A list that PHP
// wrote as a map with whole-number keys is a list.
func (l *Lead) FieldValues() []FieldValue {
	var values []FieldValue
	for _, name := range slices.Sorted(maps.Keys(l.Custom)) {
		if !columnName.MatchString(name) {
			continue
		}
		value, err := decoded(l.Custom[name])
		if err != nil {
			continue
		}
		canonical := canonicalValue(value)
		parts, several := canonical.([]any)
		if !several {
			parts = []any{canonical}
		}
		for i, part := range parts {
			if text := fieldText(part); text != "" {
				values = append(values, FieldValue{Field: name, Position: i, Value: text})
			}
		}
	}
	return values
}

func fieldText(canonical any) string {
	switch v := canonical.(type) {
	case nil:
		return ""
	case string:
		return validText(v)
	default:
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if enc.Encode(v) != nil {
			return ""
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// Cut names the fields, sorted, whose values do not fit into the mirror's columns: texts that
// are too long, dates that are invalid. raw_json has the whole values.
func (l *Lead) Cut(w Widths) []string {
	var names []string
	for i, f := range Fields {
		if !w.Field(f).Holds(l.Values[i]) {
			names = append(names, f.Name)
		}
	}
	for _, c := range l.Contacts {
		if w.Contact(c) != c {
			names = append(names, contactColumn.Column(c.TypeID))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
