package bitrix24

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"leadsync/leads"
	"leadsync/leads/parts"
)

// PHP does not keep types apart: a number may come as text, and an unknown value as null,
// false, "" or an empty list (docs/bitrix24.md 3.2). An answer that carries tokens must not
// be lost because of that, so these types read whatever comes.

// lenientFloat reads a finite number or a text with one; 0 for anything else.
type lenientFloat float64

// UnmarshalJSON never fails.
func (f *lenientFloat) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(lenientString(raw), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		n = 0
	}
	*f = lenientFloat(n)
	return nil
}

// lenientText reads a text or a number; "" for anything else.
type lenientText string

// UnmarshalJSON never fails.
func (t *lenientText) UnmarshalJSON(raw []byte) error {
	*t = lenientText(lenientString(raw))
	return nil
}

// lenientBool reads true, 1, "1" and "Y" as true, anything else as false.
type lenientBool bool

// UnmarshalJSON never fails.
func (b *lenientBool) UnmarshalJSON(raw []byte) error {
	switch strings.ToLower(lenientString(raw)) {
	case "true", "1", "y":
		*b = true
	default:
		*b = false
	}
	return nil
}

// lenientString returns a scalar as text; "" for null, false, lists and maps.
func lenientString(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	var s string
	switch {
	case len(raw) == 0, bytes.ContainsRune([]byte("{[nf"), rune(raw[0])):
		return ""
	case json.Unmarshal(raw, &s) == nil:
		return strings.TrimSpace(s)
	default:
		return string(raw)
	}
}

// isEmpty reports whether a value is one of those that PHP writes for "nothing"
// (docs/bitrix24.md 6.3.11), or absent.
func isEmpty(raw json.RawMessage) bool {
	if raw = bytes.TrimSpace(raw); len(raw) > 100 {
		return false
	}
	switch string(bytes.Join(bytes.Fields(raw), nil)) {
	case "", "null", "false", `""`, "[]", "{}":
		return true
	default:
		return false
	}
}

// errNoList says that a value is not a list.
var errNoList = errors.New("not a list")

// phpList reads a PHP list. PHP writes a list whose first element was removed, or whose
// elements are out of order, as a map with whole numbers as keys (docs/bitrix24.md 5.2.7).
// Everything else, null and false too, is errNoList: an empty list is written as one.
func phpList(raw json.RawMessage) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' {
		return parts.Elements(raw), nil
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errNoList
	}
	byKey := parts.Members(raw)
	keys := make([]int, 0, len(byKey))
	for key := range byKey {
		n, err := strconv.Atoi(key)
		if err != nil || strconv.Itoa(n) != key {
			return nil, errNoList
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	list := make([]json.RawMessage, len(keys))
	for i, n := range keys {
		list[i] = byKey[strconv.Itoa(n)]
	}
	return list, nil
}

// phpRows reads a PHP list whose elements are all of one type; null, false and "" are an
// empty one.
func phpRows[T any](raw json.RawMessage) ([]T, error) {
	if isEmpty(raw) {
		return nil, nil
	}
	list, err := phpList(raw)
	if err != nil {
		return nil, err
	}
	rows := make([]T, len(list))
	for i, row := range list {
		if err := json.Unmarshal(row, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// UnmarshalJSON reads a time block; a missing value, or one of another type, is 0.
func (t *Time) UnmarshalJSON(raw []byte) error {
	var fields struct {
		Finish           lenientFloat `json:"finish"`
		Duration         lenientFloat `json:"duration"`
		Operating        lenientFloat `json:"operating"`
		OperatingResetAt lenientFloat `json:"operating_reset_at"`
		Start            lenientText  `json:"date_start"`
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		*t = Time{} // PHP writes an empty map as a list
		return nil
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	*t = Time{
		Finish: float64(fields.Finish), Duration: float64(fields.Duration),
		Operating: float64(fields.Operating), OperatingResetAt: float64(fields.OperatingResetAt),
	}
	if at, ok := leads.ParseTime(string(fields.Start)); ok {
		t.At = at
	}
	return nil
}
