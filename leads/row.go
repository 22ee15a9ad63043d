package leads

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Row is a lead in the mirror: its columns and contacts as they are now, including changes
// that somebody has made by hand.
type Row struct {
	Ref
	Ticket   Ticket
	Revision int64
	Deleted  bool      // the row is a tombstone
	Absent   bool      // the portal did not find the lead at the last read
	Hash     string    // Lead.Hash of the stored card
	Columns  []string  // by index of Fields, in the form of Field.Column
	Widths   Widths    // of the columns; nil is as in the script
	Contacts []Contact // in any order
	// CreatedAt and ModifiedAt are exact instants in UTC; zero where unknown.
	CreatedAt, ModifiedAt time.Time
	Raw                   json.RawMessage // the stored card; nil on rows adopted from an existing database
	Sides                 *Sides          // nil while the side tables are filled by other rules
}

// Differences names the fields in which the row differs from a card, sorted; nil where they
// agree. Volatile fields are left out, and fields that are Odd in the card.
func (r *Row) Differences(lead *Lead) []string {
	lead = lead.Completed(r)
	var names []string
	for i, f := range Fields {
		if !f.Volatile() && r.Columns[i] != r.Widths.Field(f).Column(lead.Values[i]) {
			names = append(names, f.Name)
		}
	}
	if !r.CreatedAt.Equal(Instant(lead.Value("DATE_CREATE"))) {
		names = append(names, "DATE_CREATE")
	}
	if !r.ModifiedAt.Equal(Instant(lead.Value("DATE_MODIFY"))) {
		names = append(names, "DATE_MODIFY")
	}
	names = append(names, contactDifferences(r.Contacts, lead.Contacts, r.Widths)...)
	names = append(names, r.rawDifferences(lead)...)
	if r.Sides != nil {
		names = append(names, r.Sides.differences(lead, r.Widths)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rawDifferences compares the stored card, and so the custom fields and exact instants, which
// have no columns in bitrix_leads.
func (r *Row) rawDifferences(lead *Lead) []string {
	if len(r.Raw) == 0 {
		return []string{"raw_json"}
	}
	if bytes.Equal(r.Raw, lead.Raw) {
		return nil // the usual case; saves a third of the time of a pass
	}
	stored, err := Parse(r.Raw)
	if err != nil {
		return []string{"raw_json"}
	}
	return Diff(&stored, lead)
}

func contactDifferences(stored, current []Contact, w Widths) []string {
	sets := [2]map[string]string{{}, {}}
	for i, list := range [2][]Contact{stored, current} {
		cut := make([]Contact, len(list)) // cut before sorting: the order must not depend on what columns lack
		for j, c := range list {
			cut[j] = w.Contact(c)
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
