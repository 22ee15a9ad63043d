package leads

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Row is what the mirror holds of a lead: the row's columns and contacts as they
// stand now, also where somebody has changed them by hand.
type Row struct {
	Ref
	Ticket   Ticket
	Revision int64
	Deleted  bool      // the row is a tombstone
	Absent   bool      // the portal did not find the lead when it was asked last
	Hash     string    // of the card that was written
	Columns  []string  // by index of Fields: the text that Field.Column gives
	Contacts []Contact // in any order
	// CreatedAt and ModifiedAt are the exact instants; zero where there is none.
	CreatedAt, ModifiedAt time.Time
	Raw                   json.RawMessage // the card that was written; nil on rows adopted from the seed
	Sides                 *Sides          // nil where the side tables are just being filled by other rules
}

// Differences names the fields in which what a mirror holds differs from a card, sorted.
// Volatile fields are left out.
func (h *Row) Differences(lead *Lead) []string {
	var names []string
	for i, f := range Fields {
		if !f.Volatile() && h.Columns[i] != f.Column(lead.Values[i]) {
			names = append(names, f.Name)
		}
	}
	if !h.CreatedAt.Equal(Instant(lead.Value("DATE_CREATE"))) {
		names = append(names, "DATE_CREATE")
	}
	if !h.ModifiedAt.Equal(Instant(lead.Value("DATE_MODIFY"))) {
		names = append(names, "DATE_MODIFY")
	}
	names = append(names, contactDifferences(h.Contacts, lead.Contacts)...)
	names = append(names, h.rawDifferences(lead)...)
	if h.Sides != nil {
		names = append(names, h.Sides.differences(lead)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rawDifferences compares what has no column of its own, the custom fields, and the
// exact instants, through the stored card.
func (h *Row) rawDifferences(lead *Lead) []string {
	if len(h.Raw) == 0 {
		return []string{"raw_json"}
	}
	if bytes.Equal(h.Raw, lead.Raw) {
		return nil // as mostly: this saves a third of a pass
	}
	stored, err := Parse(h.Raw)
	if err != nil {
		return []string{"raw_json"}
	}
	return Diff(&stored, lead)
}

func contactDifferences(held, shown []Contact) []string {
	sets := [2]map[string]string{{}, {}}
	for i, list := range [2][]Contact{held, shown} {
		cut := make([]Contact, len(list)) // first: contacts that differ beyond the cut have no order
		for j, c := range list {
			cut[j] = c.Columns()
		}
		slices.SortFunc(cut, compareContacts)
		for _, c := range cut {
			sets[i][c.TypeID] += c.text()
		}
	}
	var names []string
	for typeID, text := range sets[0] {
		if sets[1][typeID] != text {
			names = append(names, typeID)
		}
	}
	for typeID := range sets[1] {
		if _, ok := sets[0][typeID]; !ok {
			names = append(names, typeID)
		}
	}
	return names
}
