package journal

import (
	"regexp"
	"slices"
	"strings"
)

// personal is what may be a person's in a text: what is quoted, with the apostrophes in it,
// addresses, long numbers, and the values that databases name.
var personal = regexp.MustCompile(`(?is)truncated value:.*|key value is \(.*?(?:\)|$)|` +
	`(^|[^\p{L}\d])'[^']*(?:'['\p{L}\d][^']*)*(?:'|$)|"[^"]*(?:"|$)|«[^»]*(?:»|$)|“[^”]*(?:”|$)|[^\s@]+@[^\s@]+|\+?\d[\d\s().-]{5,}\d`)

// instants are left as they are.
var instants = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*`)

// server is how the errors of SQL Server begin in a text, as the driver writes them: "mssql: text
// (number)", one or several. Their text may have any value: those of a key, of a column that is too
// short, and what a trigger's author thought of.
const server = "mssql:"

// numbers are those of SQL Server's errors, behind their texts.
var numbers = regexp.MustCompile(`\((-?\d{1,6})\)(?::|\n|$)`)

// plainMost is how long a text may be, in bytes.
const plainMost = 300

// Plain removes from a text about a portal what may be a person's data: errors of databases
// quote values. Of an error of SQL Server it leaves what was said before it, and its number.
func Plain(text string) string {
	text, theirs, failed := strings.Cut(text, server)
	var b strings.Builder
	for len(text) > 0 {
		at := instants.FindStringIndex(text)
		if at == nil {
			at = []int{len(text), len(text)}
		}
		b.WriteString(personal.ReplaceAllString(text[:at[0]], "${1}…"))
		b.WriteString(text[at[0]:at[1]])
		text = text[at[1]:]
	}
	if failed {
		b.WriteString(errorNumbers(theirs))
	}
	plain := strings.ToValidUTF8(b.String(), "…")
	if len(plain) > plainMost {
		plain = strings.ToValidUTF8(plain[:plainMost], "") + "…"
	}
	return plain
}

// errorNumbers are the numbers of SQL Server's errors in a text.
func errorNumbers(text string) string {
	var list []string
	for _, found := range numbers.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(list, found[1]) {
			list = append(list, found[1])
		}
	}
	if len(list) == 0 {
		return "an error of SQL Server"
	}
	return "error " + strings.Join(list, ", ") + " of SQL Server"
}
