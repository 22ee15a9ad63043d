package leads

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"leadsync/leads/parts"
)

// ErrNoLead says that what the portal sent cannot be read as a lead.
var ErrNoLead = errors.New("not a lead")

// Lead is the card of a lead as one read returned it.
type Lead struct {
	ID       int64
	Values   []string                   // by index of Fields, as the portal wrote them; "" where empty
	Custom   map[string]json.RawMessage // UF_CRM_*, PARENT_ID_* and all other names that are not in Fields
	Contacts []Contact                  // values of the multifields, sorted by type and id
	Odd      []Odd                      // fields whose values cannot be used, sorted by name
	Raw      json.RawMessage            // the card as the portal sent it, compacted and WithoutTokens
}

// Contact is one value of a multifield: a phone number, an e-mail address, a site, a
// messenger. Source: docs/bitrix24.md 7.
type Contact struct {
	ID        string // the portal's id of the value, decimal
	TypeID    string // the multifield it is a value of: PHONE, EMAIL, WEB, IM or LINK
	ValueType string // WORK, MOBILE, HOME …
	Value     string
}

// contactColumn is the width of the columns of bitrix_lead_contacts.
var contactColumn = Field{Max: 2000}

// Columns is the contact as a mirror with the columns of the script stores it: texts that are
// too long are cut.
func (c Contact) Columns() Contact { return Widths(nil).Contact(c) }

// Multifields are the fields of a card that contain its contacts.
var Multifields = []string{"PHONE", "EMAIL", "WEB", "IM", "LINK"}

// memberMaps are for the members of one card each: a pass reads thousands of cards a second. A map
// that once had more than membersMost stays large, and emptying it would slow each card that follows.
var memberMaps = sync.Pool{New: func() any { return map[string]json.RawMessage{} }}

const membersMost = 1000

// Parse reads a lead as crm.lead.get and crm.lead.list return it. Scalars may be strings,
// numbers, booleans or null; a list may be a map with whole-number keys (ParseList). A value
// of another shape does not spoil the others: the field is in Odd. What it returns may be parts of
// the memory of raw, which nobody may change. The error is ErrNoLead.
func Parse(raw json.RawMessage) (Lead, error) {
	compact, err := parts.Compact(raw)
	if err != nil {
		return Lead{}, fmt.Errorf("%w: %w", ErrNoLead, err)
	}
	if !utf8.Valid(compact) { // the topic's subscribers would not take it for JSON
		compact = json.RawMessage(string([]rune(string(compact)))) // U+FFFD for each byte that is none
	}
	clean := validWithoutTokens(compact)
	if clean[0] != '{' {
		return Lead{}, fmt.Errorf("%w: the portal sent %s", ErrNoLead, shapeOf(clean))
	}
	card, _ := memberMaps.Get().(map[string]json.RawMessage)
	defer func() {
		if len(card) <= membersMost {
			clear(card)
			memberMaps.Put(card)
		}
	}()
	parts.AddMembers(card, clean)
	id, err := PortalID(scalar(card["ID"]))
	if err != nil {
		return Lead{}, fmt.Errorf("%w: %w", ErrNoLead, err)
	}
	lead := Lead{ID: id, Values: make([]string, len(Fields)), Custom: map[string]json.RawMessage{}, Raw: clean}
	for name, value := range card {
		lead.take(name, value)
	}
	slices.SortFunc(lead.Contacts, compareContacts)
	slices.SortFunc(lead.Odd, func(a, b Odd) int { return strings.Compare(a.Field, b.Field) })
	return lead, nil
}

func (l *Lead) take(name string, value json.RawMessage) {
	if name == "ID" {
		return
	}
	if i, ok := fieldIndex[name]; ok {
		if value[0] == '[' || value[0] == '{' {
			l.takeOdd(name, value)
			return
		}
		l.Values[i] = scalar(value)
		return
	}
	if !slices.Contains(Multifields, name) {
		l.Custom[name] = value
		return
	}
	contacts, ok := parseContacts(name, value)
	if !ok {
		l.takeOdd(name, value)
		return
	}
	l.Contacts = append(l.Contacts, contacts...)
}

// takeOdd takes a value of the wrong shape: portals write an empty value as a list or a map
// sometimes, anything else is Odd.
func (l *Lead) takeOdd(name string, value json.RawMessage) {
	if !isEmpty(value) {
		l.Odd = append(l.Odd, Odd{Field: name, Is: shapeOf(value)})
	}
}

// parseContacts reads one multifield: a list of its values, or one value; false where it is
// neither and not empty.
func parseContacts(typeID string, value json.RawMessage) ([]Contact, bool) {
	list, ok := listed(value)
	if !ok {
		list = []json.RawMessage{value}
	}
	contacts := make([]Contact, 0, len(list))
	for _, element := range list {
		c, ok := parseContact(typeID, element)
		switch {
		case ok && (c.ID != "" || c.Value != ""):
			contacts = append(contacts, c)
		case isEmpty(element):
		case !ok:
			return nil, false
		default:
			contacts = append(contacts, c)
		}
	}
	return contacts, true
}

func parseContact(typeID string, value json.RawMessage) (Contact, bool) {
	if value[0] != '{' {
		return Contact{}, false
	}
	row := parts.Members(value)
	known := false
	for _, name := range []string{"ID", "TYPE_ID", "VALUE_TYPE", "VALUE"} {
		part, ok := row[name]
		known = known || ok
		if ok && (part[0] == '[' || part[0] == '{') && !isEmpty(part) {
			return Contact{}, false
		}
	}
	// The field says what its values are: a TYPE_ID in another spelling would hide a number.
	c := Contact{ID: scalar(row["ID"]), TypeID: typeID, ValueType: scalar(row["VALUE_TYPE"]), Value: scalar(row["VALUE"])}
	return c, known
}

// Value returns a standard field as the portal wrote it; "" where it is empty or not a
// standard field.
func (l *Lead) Value(name string) string {
	if i, ok := fieldIndex[name]; ok && i < len(l.Values) {
		return l.Values[i]
	}
	return ""
}

// Closed reports whether the lead was converted or marked as junk. Source: docs/bitrix24.md 6.4.
func (l *Lead) Closed() bool {
	semantics := l.Value("STATUS_SEMANTIC_ID")
	return semantics == "S" || semantics == "F"
}

// scalar reads a valid string, number, boolean or null as text. Portals send an empty value as a
// list or a map sometimes, so those are "" too.
func scalar(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		return validText(parts.Text(value))
	case 't':
		return "Y"
	case 'n', 'f', '[', '{':
		return ""
	default:
		return wholeNumberText(string(value))
	}
}

// wholeNumberText writes a number as a whole one where it is: some encoders write 15.0 for 15.
// An id, or a telephone number, has no fraction.
func wholeNumberText(number string) string {
	whole, fraction, ok := strings.Cut(number, ".")
	if ok && strings.Trim(fraction, "0") == "" {
		return whole
	}
	return number
}

func compareContacts(a, b Contact) int {
	return cmp.Or(
		strings.Compare(a.TypeID, b.TypeID),
		cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID),
		strings.Compare(a.ValueType, b.ValueType), strings.Compare(a.Value, b.Value))
}
