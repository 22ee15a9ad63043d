package leads_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"leadsync/leads"
)

func TestColumn(t *testing.T) {
	text := leads.Field{Name: "X", Kind: leads.Text, Max: 5}
	unlimited := leads.Field{Name: "X", Kind: leads.Text}
	ref := leads.Field{Name: "X", Kind: leads.RefKind, Max: 5}
	number := leads.Field{Name: "X", Kind: leads.Number, Max: 10}
	moment := leads.Field{Name: "X", Kind: leads.DateTime}
	day := leads.Field{Name: "X", Kind: leads.Date}
	long := strings.Repeat("ы", 70_000)
	for _, c := range []struct {
		name  string
		field leads.Field
		value string
		want  string
	}{
		{"fits", text, "абвгд", "абвгд"},
		{"cut", text, "абвгде", "абвгд"},
		{"zero is text", text, "0", "0"},
		{"emoji are two units", text, "🙂🙂🙂", "🙂🙂"},
		{"the last character of one unit", text, "abcd\uffff", "abcd\uffff"},
		{"never half a character", text, "abcd🙂", "abcd"},
		{"unlimited", unlimited, long, long},
		{"reference", ref, "12", "12"},
		{"no reference", ref, "0", ""},
		{"number", number, "0.00", "0.00"},
		{"offset dropped", moment, "2021-05-31T15:10:16+02:00", "2021-05-31T15:10:16"},
		{"no offset", moment, "2021-05-31T15:10:16", "2021-05-31T15:10:16"},
		{"fractions dropped", moment, "2021-05-31T15:10:16.123Z", "2021-05-31T15:10:16"},
		{"the hour that summer time skips", moment, "2021-03-28T02:30:00+01:00", "2021-03-28T02:30:00"},
		{"a day", day, "1980-02-29", "1980-02-29T00:00:00"},
		{"a day that does not exist", day, "1981-02-29", ""},
		{"too early for datetime", day, "1752-12-31T23:59:59+00:00", ""},
		{"the first datetime", day, "1753-01-01T00:00:00+00:00", "1753-01-01T00:00:00"},
		{"the last", day, "9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59"},
		{"year 1", day, "0001-01-01T00:00:00+00:00", ""},
		{"five digits of a year", day, "10000-01-01T00:00:00+00:00", ""},
		{"no date", day, "soon", ""},
		{"blank instead of T", moment, "2021-05-31 15:10:16", ""},
		{"empty", moment, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.field.Column(c.value)
			if got != c.want {
				t.Errorf("%.40q becomes %.40q, want %.40q", c.value, got, c.want)
			}
			if n := len(utf16.Encode([]rune(got))); c.field.Max > 0 && n > c.field.Max {
				t.Errorf("%d units in a column of %d", n, c.field.Max)
			}
			if again := c.field.Column(got); again != got {
				t.Errorf("%q, read back from the column, becomes %q", got, again)
			}
		})
	}
}

func TestVolatileFields(t *testing.T) {
	var names []string
	for _, f := range leads.Fields {
		if f.Volatile() {
			names = append(names, f.Name)
		}
	}
	if got := strings.Join(names, " "); got != "LAST_ACTIVITY_BY LAST_ACTIVITY_TIME" {
		t.Errorf("volatile: %s", got)
	}
}

func TestParseID(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "2147483647": leads.MaxID, "007": 7} {
		if got, err := leads.ParseID(s); err != nil || got != want {
			t.Errorf("ParseID(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "+1", "2147483648", "9223372036854775808", "1.0", " 1", "1 ", "0x1", "१"} {
		if got, err := leads.ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %d", s, got)
		}
	}
}

func TestValidMemberID(t *testing.T) {
	for s, want := range map[string]bool{
		"a223c6b3710f85df22e9377d6c4f7553": true, "A1": true, strings.Repeat("a", 64): true, "azAZ09": true,
		"a/": false, "a:": false, "A@": false, "A[": false, "a`": false, "a{": false,
		"": false, strings.Repeat("a", 65): false, "a.b": false, "a b": false, "*": false, ">": false, "é": false, "a\n": false,
	} {
		if got := leads.ValidMemberID(s); got != want {
			t.Errorf("ValidMemberID(%q) = %v", s, got)
		}
	}
}

// Every field of crm.lead.fields has a column, is a multifield or can only be written.
func TestEveryStandardFieldHasAColumn(t *testing.T) {
	raw, err := os.ReadFile("../bitrix24/emulator/testdata/examples/crm.lead.fields.response.json")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Result map[string]any }
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Result) < len(leads.Fields) {
		t.Fatalf("%d fields in the example", len(answer.Result))
	}
	kept := map[string]bool{"ID": true, "CONTACT_IDS": true}
	for _, f := range leads.Fields {
		kept[f.Name] = true
	}
	for _, name := range leads.Multifields {
		kept[name] = true
	}
	for name := range answer.Result {
		if !kept[name] && !strings.HasPrefix(name, "UF_CRM_") {
			t.Errorf("%s has no column", name)
		}
	}
}

func TestInstant(t *testing.T) {
	for value, want := range map[string]string{
		"2021-05-31T15:10:16+02:00":   "2021-05-31T13:10:16Z",
		"2021-05-31T15:10:16.9+02:00": "2021-05-31T13:10:16Z",
		"2021-03-28T03:00:00+02:00":   "2021-03-28T01:00:00Z",
		"0001-01-01T00:00:01Z":        "0001-01-01T00:00:01Z",
		"9999-12-31T23:59:59Z":        "9999-12-31T23:59:59Z",
		"0001-01-01T00:00:00+03:00":   "", // the year 0 in UTC
		"9999-12-31T23:59:59-05:00":   "", // the year 10000 in UTC
		"2021-05-31":                  "",
		"":                            "",
	} {
		got := leads.Instant(value)
		if text := got.Format(time.RFC3339); got.IsZero() != (want == "") || want != "" && text != want {
			t.Errorf("Instant(%q) = %s, want %q", value, text, want)
		}
	}
}

func TestTimesOfOddOffsets(t *testing.T) {
	want := time.Date(2026, 1, 2, 0, 4, 5, 0, time.UTC)
	for _, text := range []string{
		"2026-01-02T03:04:05+03:00", "2026-01-02T03:04:05+0300", "2026-01-02T03:04:05+03", "2026-01-02T00:04:05Z", "2026-01-02T03:04:05.123+03:00",
		"2026-01-02T03:04:05.123456+0300", "2026-01-02T05:49:05+05:45", "2026-01-01T12:04:05-12:00", "2026-01-02T14:04:05+14", "2026-01-02T02:34:22+02:30:17",
	} {
		if got := leads.Instant(text); !got.Equal(want) {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+3", "2026-01-02T03:04:05 03:00", "2026-01-02T03:04:05+03:00x", "1767312245"} {
		if got, ok := leads.ParseTime(text); ok {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
	for s, want := range map[string]int64{"15": 15, " 15\n": 15, "15.0": 15, "15.00": 15} {
		if got, err := leads.PortalID(s); err != nil || got != want {
			t.Errorf("PortalID(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", ".", ".0", "15.", "15.5", "15.0.0", "1.5e1", "2147483648.0", "+15", "1 5"} {
		if got, err := leads.PortalID(s); err == nil {
			t.Errorf("PortalID(%q) = %d", s, got)
		}
	}
}
