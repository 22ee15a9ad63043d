package leads

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Schema is what leadsync stored of a portal's custom fields when it read their definitions
// last.
type Schema struct {
	Fields []FieldType
	ReadAt time.Time // by our clock; zero where they were never read
}

// SchemaKind is what happened to a custom field in the portal.
type SchemaKind string

// The kinds of changes of a custom field.
const (
	FieldAdded   SchemaKind = "added"
	FieldRenamed SchemaKind = "renamed" // people see another title; the name UF_CRM_… never changes
	FieldRetyped SchemaKind = "retyped" // it has another type, or holds several values instead of one, or the reverse
	FieldRemoved SchemaKind = "removed"
)

// FieldShape is a custom field as subscribers see it.
type FieldShape struct {
	Title    string `json:"title"` // "" where the portal does not tell it
	Type     string `json:"type"`
	Multiple bool   `json:"multiple"`
}

// SchemaChange is one change of one custom field. Its JSON form is a contract.
type SchemaChange struct {
	MemberID string      `json:"member_id"`
	Field    string      `json:"field"`
	Kind     SchemaKind  `json:"change"`
	Before   *FieldShape `json:"before"` // nil where the field was added
	After    *FieldShape `json:"after"`  // nil where the field was removed
	At       time.Time   `json:"at"`     // when leadsync noticed it, by our clock
	// Since is when the definitions were read that showed Before.
	Since time.Time `json:"-"`
}

// ID is a UUID that is the same whenever the same two readings are compared, so that
// subscribers can recognise a change that is published twice. A field that is renamed back and
// forth has different ids, because Since differs.
func (c SchemaChange) ID() string {
	shapes, _ := json.Marshal([]*FieldShape{c.Before, c.After}) // texts and a flag: it never fails
	return uuid.NewSHA1(changeSpace, fmt.Appendf(nil, "schema/%s/%s/%s/%d/%s", c.MemberID, c.Field, c.Kind, c.Since.UnixMilli(), shapes)).String()
}

// Next compares what is stored with what the portal says now. It returns the fields to store
// instead, and the changes, sorted by field.
//
// Nothing is a change where no earlier reading is stored. An empty list proves nothing: portals
// answer so when something is wrong with them, so the fields stay as they are. A title that the
// portal does not tell now stays, too.
func (s Schema) Next(now []FieldType) (fields []FieldType, changes []SchemaChange) {
	if len(now) == 0 {
		return s.Fields, nil
	}
	before, after := byName(s.Fields), byName(now)
	for name, field := range after {
		if earlier, ok := before[name]; ok && field.Label == "" {
			field.Label = earlier.Label
			after[name] = field
		}
		fields = append(fields, field)
	}
	slices.SortFunc(fields, func(a, b FieldType) int { return strings.Compare(a.Field, b.Field) })
	if s.ReadAt.IsZero() {
		return fields, nil
	}
	for _, field := range fields {
		earlier, ok := before[field.Field]
		for _, kind := range field.changes(earlier, ok) {
			changes = append(changes, SchemaChange{Field: field.Field, Kind: kind, Before: shape(earlier, ok), After: shape(field, true), Since: s.ReadAt})
		}
	}
	for name, earlier := range before {
		if _, there := after[name]; !there {
			changes = append(changes, SchemaChange{Field: name, Kind: FieldRemoved, Before: shape(earlier, true), Since: s.ReadAt})
		}
	}
	slices.SortStableFunc(changes, func(a, b SchemaChange) int { return strings.Compare(a.Field, b.Field) })
	return fields, changes
}

// changes says in which ways a field differs from what it was. A title that becomes known is
// not a new one.
func (t FieldType) changes(earlier FieldType, known bool) []SchemaKind {
	if !known {
		return []SchemaKind{FieldAdded}
	}
	var kinds []SchemaKind
	if earlier.Label != "" && t.Label != earlier.Label {
		kinds = append(kinds, FieldRenamed)
	}
	if t.Type != earlier.Type || t.Multiple != earlier.Multiple {
		kinds = append(kinds, FieldRetyped)
	}
	return kinds
}

func shape(t FieldType, there bool) *FieldShape {
	if !there {
		return nil
	}
	return &FieldShape{Title: t.Label, Type: t.Type, Multiple: t.Multiple}
}

// byName are fields as the mirror stores them, by their names: what was stored is compared
// with them.
func byName(list []FieldType) map[string]FieldType {
	fields := make(map[string]FieldType, len(list))
	for _, t := range list {
		t = t.Columns()
		fields[t.Field] = t
	}
	return fields
}

// IsCustomField reports whether a field of leads was made in the portal. Source:
// docs/bitrix24.md 6.4.
func IsCustomField(name string) bool { return strings.HasPrefix(name, "UF_") && ValidFieldName(name) }
