package emulator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// CustomField is a custom field as people define it in the portal.
type CustomField struct {
	Name     string `json:"name"` // UF_CRM_…
	Type     string `json:"type"` // string, enumeration, date …
	Multiple bool   `json:"multiple"`
	Label    string `json:"label"`
}

// definitions are the custom fields that a portal has at one moment: those that every portal
// starts with, as they are now, and those that were added. They are never changed, only
// replaced.
type definitions struct {
	fields [len(userFields)]userField // by their place
	gone   [len(userFields)]bool
	added  []userField // in every card, and empty there: nothing stores a value
	nextID int         // of the next field that is added
}

func newDefinitions() *definitions { return &definitions{fields: userFields, nextID: firstAddedField} }

// clone is a copy that may be changed.
func (d *definitions) clone() *definitions {
	c := *d
	c.added = slices.Clone(d.added)
	return &c
}

// all are the fields that exist.
func (d *definitions) all() []*userField {
	var list []*userField
	for i := range d.fields {
		if !d.gone[i] {
			list = append(list, &d.fields[i])
		}
	}
	for i := range d.added {
		list = append(list, &d.added[i])
	}
	return list
}

// set adds a field or changes it.
func (d *definitions) set(f CustomField) {
	for i := range d.fields {
		if have := &d.fields[i]; have.name == f.Name {
			have.typ, have.multiple, have.label = f.Type, f.Multiple, f.Label
			d.gone[i] = false
			return
		}
	}
	for i := range d.added {
		if have := &d.added[i]; have.name == f.Name {
			have.typ, have.multiple, have.label = f.Type, f.Multiple, f.Label
			return
		}
	}
	d.added = append(d.added, userField{
		id: strconv.Itoa(d.nextID), name: f.Name, typ: f.Type, sort: "3000", multiple: f.Multiple, label: f.Label,
		settings: object{{"DEFAULT_VALUE", ""}},
	})
	d.nextID++
}

// firstAddedField is the id of the first field that is added: above all others.
const firstAddedField = 8001

// remove takes a field away; false where there is none of that name.
func (d *definitions) remove(name string) bool {
	for i := range d.fields {
		if d.fields[i].name == name && !d.gone[i] {
			d.gone[i] = true
			return true
		}
	}
	before := len(d.added)
	d.added = slices.DeleteFunc(d.added, func(f userField) bool { return f.name == name })
	return len(d.added) < before
}

var customName = regexp.MustCompile(`^UF_CRM_[A-Z0-9_]{1,50}$`)

// SetCustomField adds a custom field, or changes the title and the type of one that exists.
// A new one is in every card at once, and empty. No event says so, and no lead has changed.
func (p *Portal) SetCustomField(f CustomField) error {
	if !customName.MatchString(f.Name) {
		return fmt.Errorf("name: got %q, want UF_CRM_ and capitals, digits or _", f.Name)
	}
	if f.Type == "" {
		f.Type = "string"
	}
	p.definitionsMu.Lock()
	defer p.definitionsMu.Unlock()
	next := p.definitions.Load().clone()
	next.set(f)
	p.definitions.Store(next)
	return nil
}

// RemoveCustomField removes a custom field from the portal and from all cards.
func (p *Portal) RemoveCustomField(name string) error {
	p.definitionsMu.Lock()
	defer p.definitionsMu.Unlock()
	next := p.definitions.Load().clone()
	if !next.remove(name) {
		return fmt.Errorf("there is no custom field %q", name)
	}
	p.definitions.Store(next)
	return nil
}
