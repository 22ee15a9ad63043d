package bitrix24

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// PHP does not keep types apart: a number may come as text, and an unknown value as null,
// false, "" or an empty list (docs/bitrix24.md 3.2). An answer that carries tokens must not
// be lost because of that, so these types read whatever comes.

// lenientFloat reads a number or a text with one; 0 for anything else.
type lenientFloat float64

// UnmarshalJSON never fails.
func (f *lenientFloat) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(lenientString(raw), 64)
	if err != nil {
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
	if at, err := time.Parse(time.RFC3339, string(fields.Start)); err == nil {
		t.At = at
	}
	return nil
}
