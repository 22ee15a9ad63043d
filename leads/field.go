package leads

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Kind says how a portal writes a field and what an empty value looks like.
type Kind int

// The kinds of standard fields. Source: docs/bitrix24.md 6.3.
const (
	Text     Kind = iota // text; empty is null or ""
	RefKind              // the id of something else; empty is null, "" or "0"
	Number               // a decimal; empty is null or ""
	DateTime             // ISO 8601 with the portal's offset; empty is ""
	Date                 // a day, with or without a time of day
)

// Field is one standard field of a lead.
type Field struct {
	Name string // as Bitrix24 writes it; its column is sql_<Name>
	Kind Kind
	Max  int // UTF-16 units that the column holds; 0 is unlimited
}

// Fields are the standard fields except ID, in the order in which crm.lead.get shows
// them (docs/bitrix24.md 6.4). The mirror keeps each in a column sql_<Name>.
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

// Volatile tells fields that move without anybody changing the lead, and so neither
// count as a difference nor give cause for a write.
func (f Field) Volatile() bool { return strings.HasPrefix(f.Name, "LAST_ACTIVITY_") }

// WallClock is how the mirror's datetime columns are written as text.
const WallClock = "2006-01-02T15:04:05"

// Column is what the field's column holds for a value of the portal, as text; ""
// is NULL. Times lose their offset, as the seed's reports expect (the exact instant
// is in columns of ours and in raw_json); what a column cannot hold is cut, or NULL
// where it is no date at all. The whole value is always in raw_json.
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

// Holds tells whether the column keeps all of a value; what is empty is no loss.
func (f Field) Holds(value string) bool {
	switch f.Kind {
	case DateTime, Date:
		return value == "" || wallClock(value) != ""
	default:
		return len(cutUTF16(value, f.Max)) == len(value)
	}
}

// ParseTime reads a time as portals write it: ISO 8601, with an offset.
func ParseTime(value string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, value)
	return t, err == nil
}

// Instant is the moment that a portal's time names, in UTC and whole seconds; zero where it
// is none, or one that leaves the years 1 to 9999 in UTC, which SQL Server has.
func Instant(value string) time.Time {
	t, ok := ParseTime(value)
	if t = t.UTC().Truncate(time.Second); !ok || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// wallClock keeps the first nineteen characters of an ISO time, where they are one that
// SQL Server's datetime can hold (from 1753 on).
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

// cutUTF16 cuts s to at most limit UTF-16 units, never inside a character: that is how
// SQL Server counts the length of nvarchar.
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

// validText replaces what neither database stores: invalid UTF-8 and NUL.
func validText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
