package leads_test

import (
	"testing"

	"leadsync/leads"
)

// A name that somebody typed into Bitrix24 may neither break a line in a terminal nor turn it round.
func TestTextsOfAPortalStayInTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"Иван\r\n\tПетров":                         "Иван Петров",
		"\x1b[31mred\u009b":                        "[31mred",
		"\u202egnp.exe\u202c":                      "gnp.exe",
		"\u2066a\u2067b\u2068c\u2069":              "abc",
		"\u200ea\u200fb\u202ac\u202bd\u202d\u061c": "abcd",
		"a\u200db": "a\u200db", // joins letters of some scripts, and parts of pictures
	} {
		if got := leads.OneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
