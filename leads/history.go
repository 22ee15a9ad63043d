package leads

import (
	"slices"
	"strings"
	"time"
)

// Revised is one revision of a lead in the history of changes.
type Revised struct {
	Revision int64
	At       time.Time // when it was written
	Kind     ChangeKind
	Cause    Cause
	Fields   []FieldChange // sorted by name; nil where the lead was added or deleted as a whole
}

// FieldChange is a field that changed. Old and New are nil where the history keeps no values.
type FieldChange struct {
	Field string  `json:"field"`
	Old   *string `json:"old,omitempty"`
	New   *string `json:"new,omitempty"`
}

// historyMax is how much of a value the history keeps, in UTF-16 units.
const historyMax = 4000

// FieldChanges lists the named fields without their values.
func FieldChanges(names []string) []FieldChange {
	list := make([]FieldChange, len(names))
	for i, name := range names {
		list[i].Field = name
	}
	return list
}

// WithValues adds the values of two cards to a list of fields.
func WithValues(list []FieldChange, before, after *Lead) []FieldChange {
	list = slices.Clone(list)
	for i := range list {
		was, is := before.shown(list[i].Field), after.shown(list[i].Field)
		list[i].Old, list[i].New = &was, &is
	}
	return list
}

// shown is the value of a field for people: as the portal wrote it, the values of a multifield
// with commas between them. Long values are cut.
func (l *Lead) shown(name string) string {
	value := l.Value(name)
	switch custom, ok := l.Custom[name]; {
	case ok:
		value = canonicalCustom(custom)
	case slices.Contains(Multifields, name):
		var values []string
		for _, c := range l.Contacts {
			if c.TypeID == name {
				values = append(values, c.Value)
			}
		}
		value = strings.Join(values, ", ")
	}
	return Field{Max: historyMax}.Column(strings.ReplaceAll(value, "\x00", "\uFFFD"))
}

// Neighbour is a lead beside another by its id.
type Neighbour struct {
	LeadID    int64
	CreatedAt time.Time // by the portal; zero where unknown
}
