package leads

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the type of a standard field: how a portal writes it and what an empty value is.
type Kind int

// The kinds of standard fields. Source: docs/bitrix24.md 6.3.
const (
	Text     Kind = iota // text; empty is null or ""
	RefKind              // the id of another object; empty is null, "" or "0"
	Number               // a decimal; empty is null or ""
	DateTime             // ISO 8601 with the portal's offset; empty is ""
	Date                 // a day, with or without a time of day
)

// Field is one standard field of a lead.
type Field struct {
	Name string // as Bitrix24 writes it; its column is sql_<Name>
	Kind Kind
	Max  int // width of the column in UTF-16 units; 0 is unlimited
}

// Fields are the standard fields except ID, in the order of crm.lead.get
// (docs/bitrix24.md 6.4). The mirror has a column sql_<Name> for each.
var Fields = []Field{
	{"TITLE", Text, 4000},
	{"HONORIFIC", Text, 3000},
	{"NAME", Text, 3000},
	{"SECOND_NAME", Text, 3000},
	{"LAST_NAME", Text, 3000},
	{"COMPANY_TITLE", Text, 4000},
	{"COMPANY_ID", RefKind, 3000},
	{"CONTACT_ID", RefKind, 3000},
	{"IS_RETURN_CUSTOMER", Text, 3000},
	{"BIRTHDATE", Date, 0},
	{"SOURCE_ID", Text, 3000},
	{"SOURCE_DESCRIPTION", Text, 3000},
	{"STATUS_ID", Text, 3000},
	{"STATUS_DESCRIPTION", Text, 3000},
	{"POST", Text, 3000},
	{"COMMENTS", Text, 0},
	{"CURRENCY_ID", Text, 3000},
	{"OPPORTUNITY", Number, 3000},
	{"IS_MANUAL_OPPORTUNITY", Text, 3000},
	{"HAS_PHONE", Text, 3000},
	{"HAS_EMAIL", Text, 3000},
	{"HAS_IMOL", Text, 3000},
	{"ASSIGNED_BY_ID", RefKind, 3000},
	{"CREATED_BY_ID", RefKind, 3000},
	{"MODIFY_BY_ID", RefKind, 3000},
	{"DATE_CREATE", DateTime, 0},
	{"DATE_MODIFY", DateTime, 0},
	{"DATE_CLOSED", DateTime, 0},
	{"STATUS_SEMANTIC_ID", Text, 3000},
	{"OPENED", Text, 3000},
	{"ORIGINATOR_ID", Text, 3000},
	{"ORIGIN_ID", Text, 3000},
	{"MOVED_BY_ID", RefKind, 3000},
	{"MOVED_TIME", DateTime, 0},
	{"ADDRESS", Text, 3000},
	{"ADDRESS_2", Text, 3000},
	{"ADDRESS_CITY", Text, 3000},
	{"ADDRESS_POSTAL_CODE", Text, 3000},
	{"ADDRESS_REGION", Text, 3000},
	{"ADDRESS_PROVINCE", Text, 3000},
	{"ADDRESS_COUNTRY", Text, 3000},
	{"ADDRESS_COUNTRY_CODE", Text, 3000},
	{"ADDRESS_LOC_ADDR_ID", RefKind, 3000},
	{"UTM_SOURCE", Text, 3000},
	{"UTM_MEDIUM", Text, 3000},
	{"UTM_CAMPAIGN", Text, 3000},
	{"UTM_CONTENT", Text, 3000},
	{"UTM_TERM", Text, 3000},
	{"LAST_ACTIVITY_BY", RefKind, 3000},
	{"LAST_ACTIVITY_TIME", DateTime, 0},
}

var fieldIndex = func() map[string]int {
	m := make(map[string]int, len(Fields))
	for i, f := range Fields {
		m[f.Name] = i
	}
	return m
}()

// Volatile reports whether the portal changes the field without a change of the lead. Such a
// field is neither a difference nor a reason to write.
func (f Field) Volatile() bool { return strings.HasPrefix(f.Name, "LAST_ACTIVITY_") }

// WallClock is the text format of the mirror's datetime columns, without an offset.
const WallClock = "2006-01-02T15:04:05"

// Column returns the text of the field's column for a value of the portal; "" is NULL. Times
// lose their offset, because existing reports expect the portal's wall clock (other columns
// have the exact instants). Texts that are too long are cut, invalid dates are NULL. The
// whole value is always in raw_json.
func (f Field) Column(value string) string {
	switch f.Kind {
	case DateTime, Date:
		return wallClock(value)
	case RefKind:
		if value == "0" {
			return ""
		}
	case Text, Number:
	}
	return cutUTF16(value, f.Max)
}

// Holds reports whether the column keeps the whole value; it always does for an empty one.
func (f Field) Holds(value string) bool {
	switch f.Kind {
	case DateTime, Date:
		return value == "" || wallClock(value) != ""
	default:
		return len(cutUTF16(value, f.Max)) == len(value)
	}
}

// offsets are the other forms of ISO 8601 in which a time's offset may be written. PHP writes
// the seconds of an offset that has some, as local mean times had.
var offsets = [...]string{WallClock + "Z0700", WallClock + "Z07", WallClock + "Z07:00:00"}

// ParseTime parses a time as portals write it, ISO 8601 with an offset; false where it is not
// one.
func ParseTime(value string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, value)
	for i := 0; err != nil && i < len(offsets) && len(value) > len(WallClock); i++ {
		t, err = time.Parse(offsets[i], value)
	}
	return t, err == nil
}

// Instant parses a portal's time to UTC in whole seconds. It is zero where the value is not a
// time or is outside the years 1 to 9999 in UTC, the range of SQL Server's datetime2.
func Instant(value string) time.Time {
	t, ok := ParseTime(value)
	if t = t.UTC().Truncate(time.Second); !ok || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// wallClock returns the first nineteen characters of an ISO time; "" where they are not a
// time from 1753 on, the range of SQL Server's datetime.
func wallClock(value string) string {
	if len(value) == len(time.DateOnly) {
		value += "T00:00:00"
	}
	if len(value) < len(WallClock) {
		return ""
	}
	t, err := time.Parse(WallClock, value[:len(WallClock)])
	if err != nil || t.Year() < 1753 {
		return ""
	}
	return value[:len(WallClock)]
}

// cutUTF16 cuts s to at most limit UTF-16 units, the unit of nvarchar's length, and never
// inside a character.
func cutUTF16(s string, limit int) string {
	if limit == 0 || len(s) <= limit {
		return s
	}
	units := 0
	for i, r := range s {
		if r > 0xFFFF {
			units++
		}
		if units++; units > limit {
			return s[:i]
		}
	}
	return s
}

// validText replaces what neither database can store: invalid UTF-8 and NUL.
func validText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
