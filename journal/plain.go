package journal

import (
	"regexp"
	"strings"
)

// personal is what may be a person's in the text of an error: what is quoted, addresses, long
// numbers, and SQL Server's "Truncated value: …".
var personal = regexp.MustCompile(`(?is)truncated value:.*|'[^']*'|"[^"]*"|«[^»]*»|[^\s@]+@[^\s@]+|\+?\d[\d\s().-]{5,}\d`)

// instants are left as they are.
var instants = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*`)

// plainMost is how long a text may be, in bytes.
const plainMost = 300

// Plain removes from a text about a portal what may be a person's data: errors of databases
// quote values.
func Plain(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		at := instants.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(personal.ReplaceAllString(text[:at[0]], "…"))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	plain := strings.ToValidUTF8(b.String(), "…")
	if len(plain) > plainMost {
		plain = strings.ToValidUTF8(plain[:plainMost], "") + "…"
	}
	return plain
}
