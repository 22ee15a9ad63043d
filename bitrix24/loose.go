package bitrix24

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// PHP is loose about types: a number may come as text, and what is unknown as null,
// false, "" or an empty list (docs/bitrix24.md 3.2). An answer that carries tokens must not be lost
// over such a thing.

// looseFloat reads a number however it is written; 0 where there is none.
type looseFloat float64

// UnmarshalJSON never fails.
func (f *looseFloat) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(looseString(raw), 64)
	if err != nil {
		n = 0
	}
	*f = looseFloat(n)
	return nil
}

// looseText reads a text that may be a number, or something else that is empty.
type looseText string

// UnmarshalJSON never fails.
func (t *looseText) UnmarshalJSON(raw []byte) error {
	*t = looseText(looseString(raw))
	return nil
}

// looseBool reads true, 1, "1", "Y" and their opposites.
type looseBool bool

// UnmarshalJSON never fails.
func (b *looseBool) UnmarshalJSON(raw []byte) error {
	switch strings.ToLower(looseString(raw)) {
	case "true", "1", "y":
		*b = true
	default:
		*b = false
	}
	return nil
}

// looseString is a scalar as text; "" for null, false, lists and maps.
func looseString(raw []byte) string {
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

// UnmarshalJSON reads a time block; what is missing or of another type is 0.
func (t *Time) UnmarshalJSON(raw []byte) error {
	var loose struct {
		Finish           looseFloat `json:"finish"`
		Duration         looseFloat `json:"duration"`
		Operating        looseFloat `json:"operating"`
		OperatingResetAt looseFloat `json:"operating_reset_at"`
		Start            looseText  `json:"date_start"`
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		*t = Time{} // an empty map of PHP is a list
		return nil
	}
	if err := json.Unmarshal(raw, &loose); err != nil {
		return err
	}
	*t = Time{
		Finish: float64(loose.Finish), Duration: float64(loose.Duration),
		Operating: float64(loose.Operating), OperatingResetAt: float64(loose.OperatingResetAt),
	}
	if at, err := time.Parse(time.RFC3339, string(loose.Start)); err == nil {
		t.At = at
	}
	return nil
}
