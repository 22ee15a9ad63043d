package leads

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// FieldValue is one value of a custom field, as reports join it.
type FieldValue struct {
	Field    string
	Position int    // among the field's values, from 0; 0 where it has only one
	Value    string // text as it is; true is "1"; of anything with parts, its JSON
}

// FieldType is what a portal says of one of its custom fields. Source: docs/bitrix24.md 6.4.
type FieldType struct {
	Field    string // its name: UF_CRM_…
	Type     string // string, enumeration, employee, file …
	Multiple bool
	Label    string // as people see it; "" unknown
}

// columnName is how portals name fields. A card may hold any JSON name; one of another
// form has no place but in raw_json.
var columnName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,127}$`)

// ValidFieldName tells whether a field of that name can have values beside raw_json.
func ValidFieldName(s string) bool { return columnName.MatchString(s) }

// FieldValues are the values of the custom fields, by name and position. What is empty
// in the canonical form (null, "", "0", false, [] and {}) is left out: the hash does not
// tell them apart, so a row could not follow. The tokens in links to files are cut out.
func (l *Lead) FieldValues() []FieldValue {
	var values []FieldValue
	for _, name := range slices.Sorted(maps.Keys(l.Custom)) {
		if !columnName.MatchString(name) {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(l.Custom[name]))
		dec.UseNumber()
		var decoded any
		if dec.Decode(&decoded) != nil {
			continue
		}
		parts, several := canonicalValue(decoded).([]any)
		if !several {
			parts = []any{canonicalValue(decoded)}
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

// Cut names the fields, sorted, of which the mirror's columns keep less than the portal
// has shown: too long a text, a date that is none. All of it is in raw_json.
func (l *Lead) Cut() []string {
	var names []string
	for i, f := range Fields {
		if !f.Holds(l.Values[i]) {
			names = append(names, f.Name)
		}
	}
	for _, c := range l.Contacts {
		if c.Columns() != c {
			names = append(names, contactColumn.Column(c.TypeID))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
