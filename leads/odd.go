package leads

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Odd is a field whose value has another shape than the field can have: it is neither the
// field's value nor empty. It says nothing about the value, so the mirror keeps what it has.
type Odd struct {
	Field string
	Is    string // what the portal sent instead, in words
}

// Reason is the sentence that marks the lead. It is the same for every such value.
func (o Odd) Reason() string {
	return fmt.Sprintf("%s: the portal sent %s, want %s; the mirror keeps the earlier values of this field", o.Field, o.Is, wanted(o.Field))
}

func wanted(field string) string {
	if _, ok := fieldIndex[field]; ok {
		return "a text, a number or nothing"
	}
	return "a list of values or nothing"
}

// Completed returns the lead with the mirror's values in the fields that are Odd; stored is
// the lead's row, nil where there is none. Raw is completed too, so that what is stored,
// compared and announced agree.
func (l *Lead) Completed(stored *Row) *Lead {
	if len(l.Odd) == 0 {
		return l
	}
	var card map[string]json.RawMessage
	if json.Unmarshal(l.Raw, &card) != nil {
		return l
	}
	kept := stored.values(l.Odd)
	for _, o := range l.Odd {
		delete(card, o.Field)
		if value, ok := kept[o.Field]; ok {
			card[o.Field] = value
		}
	}
	whole, err := Parse(plainJSON(card))
	if err != nil {
		return l
	}
	whole.Odd = l.Odd
	return &whole
}

// values returns the stored values of fields, as the portal would write them. They are those
// of the stored card, or of the columns where a row has no card.
func (r *Row) values(fields []Odd) map[string]json.RawMessage {
	if r == nil {
		return nil
	}
	if stored, err := Parse(r.Raw); err == nil {
		var card map[string]json.RawMessage
		if json.Unmarshal(stored.Raw, &card) != nil {
			return nil
		}
		for _, o := range stored.Odd {
			delete(card, o.Field)
		}
		return card
	}
	card := map[string]json.RawMessage{}
	for _, o := range fields {
		if i, ok := fieldIndex[o.Field]; ok {
			card[o.Field] = plainJSON(r.Columns[i])
			continue
		}
		card[o.Field] = plainJSON(contactsOf(r.Contacts, o.Field))
	}
	return card
}

// contactsOf writes contacts of one type as a portal does.
func contactsOf(contacts []Contact, typeID string) []map[string]string {
	list := []map[string]string{}
	for _, c := range contacts {
		if c.TypeID == typeID {
			list = append(list, map[string]string{"ID": c.ID, "VALUE_TYPE": c.ValueType, "VALUE": c.Value, "TYPE_ID": c.TypeID})
		}
	}
	return list
}

// plainJSON is json.Marshal without escaping <, > and &; the values always encode.
func plainJSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
