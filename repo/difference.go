package repo

import (
	"leadsync/leads"
)

// sideRow is a row of a table beside bitrix_leads. key identifies a stored row where the table
// has an id.
type sideRow[T comparable] struct {
	memberID string
	leadID   int64
	key      int64
	value    T
}

// sideRows are the rows that a table has for the leads of a transaction, and those that it
// is to have.
type sideRows[T comparable] struct{ stored, wanted []sideRow[T] }

func (s *sideRows[T]) want(ref leads.Ref, value T) {
	s.wanted = append(s.wanted, sideRow[T]{memberID: ref.MemberID, leadID: ref.LeadID, value: value})
}

// found adds rows that the table has for these leads.
func (s *sideRows[T]) found(rows []sideRow[T], of map[int64]bool) {
	for _, row := range rows {
		if of[row.leadID] {
			s.stored = append(s.stored, row)
		}
	}
}

// difference returns the rows to delete and the rows to insert. Rows that are as they should
// be stay, with their ids: an edit of a title must not use up the ids of contacts.
func (s *sideRows[T]) difference() (gone, fresh []sideRow[T]) {
	if len(s.stored) == 0 {
		return nil, s.wanted
	}
	have, need := map[sideRow[T]]int{}, map[sideRow[T]]int{}
	for _, row := range s.stored {
		row.key = 0
		have[row]++
	}
	for _, row := range s.wanted {
		need[row]++
		if have[row] > 0 {
			have[row]--
			continue
		}
		fresh = append(fresh, row)
	}
	for _, row := range s.stored {
		same := row
		same.key = 0
		if need[same] > 0 {
			need[same]--
			continue
		}
		gone = append(gone, row)
	}
	return gone, fresh
}

// keys are the ids of rows.
func keys[T comparable](rows []sideRow[T]) []int64 {
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.key
	}
	return ids
}

// valuesOf are the values of rows for their columns.
func valuesOf[T comparable](rows []sideRow[T], columns func(leads.Ref, T) []any) [][]any {
	list := make([][]any, len(rows))
	for i, row := range rows {
		list[i] = columns(leads.Ref{MemberID: row.memberID, LeadID: row.leadID}, row.value)
	}
	return list
}

func contactRow(ref leads.Ref, c leads.Contact) []any {
	return []any{ref.MemberID, ref.LeadID, boxed(text(c.ID)), boxed(text(c.ValueType)), boxed(text(c.Value)), boxed(text(c.TypeID))}
}

func phoneRow(ref leads.Ref, k leads.PhoneKey) []any {
	return []any{
		k.Digits, ref.MemberID, ref.LeadID, text(k.ContactID), k.Position, text(k.E164), text(k.Extension), k.Repeated,
		k.Closed, exact(k.CreatedAt),
	}
}

func fieldRow(ref leads.Ref, v leads.FieldValue) []any {
	return []any{ref.MemberID, ref.LeadID, v.Field, v.Position, v.Value}
}

func fieldKey(ref leads.Ref, v leads.FieldValue) []any {
	return []any{ref.MemberID, ref.LeadID, v.Field, v.Position}
}

func solutionRow(ref leads.Ref, text string) []any { return []any{ref.MemberID, ref.LeadID, text} }

// stored scans a row of a side table as one that the portal has.
func stored[T comparable](memberID string, scan func(scanner, *sideRow[T]) error) func(scanner) (sideRow[T], error) {
	return func(row scanner) (sideRow[T], error) {
		s := sideRow[T]{memberID: memberID}
		err := scan(row, &s)
		return s, err
	}
}

func scanStoredContact(row scanner, s *sideRow[leads.Contact]) error {
	c := &s.value
	return row.Scan(&s.key, &s.leadID, textColumn{&c.ID}, textColumn{&c.TypeID}, textColumn{&c.ValueType}, textColumn{&c.Value})
}

func scanStoredPhone(row scanner, s *sideRow[leads.PhoneKey]) error {
	k := &s.value
	return row.Scan(&s.key, &s.leadID, &k.Digits, textColumn{&k.E164}, textColumn{&k.Extension}, textColumn{&k.ContactID},
		&k.Repeated, &k.Position, &k.Closed, instantColumn{&k.CreatedAt})
}

func scanStoredField(row scanner, s *sideRow[leads.FieldValue]) error {
	return row.Scan(&s.leadID, &s.value.Field, &s.value.Position, textColumn{&s.value.Value})
}

func scanStoredSolution(row scanner, s *sideRow[string]) error {
	return row.Scan(&s.key, &s.leadID, textColumn{&s.value})
}
