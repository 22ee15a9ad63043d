package leads

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoLead says that what the portal sent cannot be read as a lead.
var ErrNoLead = errors.New("not a lead")

// Lead is the card of a lead as one read returned it.
type Lead struct {
	ID       int64
	Values   []string                   // by index of Fields, as the portal wrote them; "" where empty
	Custom   map[string]json.RawMessage // UF_CRM_*, PARENT_ID_* and all other names that are not in Fields
	Contacts []Contact                  // values of the multifields, sorted by type and id
	Raw      json.RawMessage            // the card as the portal sent it, compacted
}

// Contact is one value of a multifield: a phone number, an e-mail address, a site, a
// messenger. Source: docs/bitrix24.md 7.
type Contact struct {
	ID        string // the portal's id of the value, decimal
	TypeID    string // PHONE, EMAIL, WEB, IM or LINK
	ValueType string // WORK, MOBILE, HOME …
	Value     string
}

// contactColumn is the width of the columns of bitrix_lead_contacts.
var contactColumn = Field{Max: 2000}

// Columns is the contact as the mirror stores it: texts that are too long are cut.
func (c Contact) Columns() Contact {
	return Contact{
		ID: contactColumn.Column(c.ID), TypeID: contactColumn.Column(c.TypeID),
		ValueType: contactColumn.Column(c.ValueType), Value: contactColumn.Column(c.Value),
	}
}

// Multifields are the fields of a card that contain its contacts.
var Multifields = []string{"PHONE", "EMAIL", "WEB", "IM", "LINK"}

// Parse reads a lead as crm.lead.get and crm.lead.list return it. Scalars may be strings,
// numbers, booleans or null; an empty map may stand for an empty list and vice versa. The
// error is ErrNoLead; the lead then has Raw and ID, if the id can be read.
func Parse(raw json.RawMessage) (Lead, error) {
	var card map[string]json.RawMessage
	if err := json.Unmarshal(raw, &card); err != nil {
		return Lead{}, fmt.Errorf("%w: %w", ErrNoLead, err)
	}
	id, err := ParseID(scalar(card["ID"]))
	if err != nil {
		return Lead{}, fmt.Errorf("%w: %w", ErrNoLead, err)
	}
	lead := Lead{ID: id, Values: make([]string, len(Fields)), Custom: map[string]json.RawMessage{}}
	for name, value := range card {
		if err := lead.take(name, value); err != nil {
			return Lead{ID: id, Raw: raw}, fmt.Errorf("%w: lead %d, field %s: %w", ErrNoLead, id, name, err)
		}
	}
	slices.SortFunc(lead.Contacts, compareContacts)
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return Lead{}, fmt.Errorf("%w: %w", ErrNoLead, err)
	}
	lead.Raw = compact.Bytes()
	return lead, nil
}

func (l *Lead) take(name string, value json.RawMessage) error {
	if name == "ID" {
		return nil
	}
	if i, ok := fieldIndex[name]; ok {
		l.Values[i] = scalar(value)
		return nil
	}
	if !slices.Contains(Multifields, name) {
		l.Custom[name] = value
		return nil
	}
	rows, err := parseContacts(name, value)
	l.Contacts = append(l.Contacts, rows...)
	return err
}

// parseContacts reads one multifield; false, null, [] and {} mean that it has no values.
func parseContacts(typeID string, value json.RawMessage) ([]Contact, error) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || value[0] != '[' {
		return nil, nil
	}
	var rows []map[string]json.RawMessage
	if err := json.Unmarshal(value, &rows); err != nil {
		return nil, err
	}
	contacts := make([]Contact, 0, len(rows))
	for _, row := range rows {
		c := Contact{
			ID: scalar(row["ID"]), TypeID: scalar(row["TYPE_ID"]),
			ValueType: scalar(row["VALUE_TYPE"]), Value: scalar(row["VALUE"]),
		}
		if c.TypeID == "" {
			c.TypeID = typeID
		}
		contacts = append(contacts, c)
	}
	return contacts, nil
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

// scalar reads a string, number, boolean or null as text. Portals send an empty value as a
// list or a map sometimes, so those are "" too.
func scalar(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		var s string
		if json.Unmarshal(value, &s) != nil {
			return ""
		}
		return validText(s)
	case 't':
		return "Y"
	case 'n', 'f', '[', '{':
		return ""
	default:
		return string(value)
	}
}

func compareContacts(a, b Contact) int {
	return cmp.Or(
		strings.Compare(a.TypeID, b.TypeID),
		cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID),
		strings.Compare(a.ValueType, b.ValueType), strings.Compare(a.Value, b.Value))
}
