package doctor

import (
	"cmp"
	"strings"
)

// spoken is what the driver writes before each message of SQL Server in the text of an error.
const spoken = "mssql: "

// refusal is a sentence for where the server's own words are all that is known.
const refusal = "the server refused a question"

// Apart sets the server's own words apart from what leadsync says of them, in one line: they are in the server's language, and for
// whoever looks after it.
func (f Finding) Apart() Finding {
	before, messages, said := strings.Cut(f.Found, spoken)
	if !said {
		return f
	}
	lines := strings.FieldsFunc(messages, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, spoken)
	}
	f.Found, f.Says = cmp.Or(strings.TrimSuffix(before, ": "), refusal), strings.Join(lines, " · ")
	return f
}

// because says what failed before an error of the server, which names only where that was. What else went wrong is a sentence already.
func because(what string, err error) string {
	if text := err.Error(); strings.Contains(text, spoken) {
		return what + ": " + text
	}
	return err.Error()
}
