package doctor

import (
	"fmt"
	"io"
	"strings"

	"leadsync/leads"
)

// Write prints findings for people: a line for each, below it what follows and what to do. paint colours the
// word of a level, where that is not nil.
func Write(w io.Writer, found []Finding, paint func(Level, string) string) error {
	var text strings.Builder
	for _, f := range found {
		level := fmt.Sprintf("%-7s", f.Level)
		if paint != nil {
			level = paint(f.Level, level)
		}
		fmt.Fprintf(&text, "%s  %-14s  %s\n", level, f.Check, leads.OneLine(f.Found))
		if f.Means != "" {
			fmt.Fprintf(&text, "%25s  so: %s\n", "", f.Means)
		}
		if f.Do != "" {
			fmt.Fprintf(&text, "%25s  -> %s\n", "", f.Do)
		}
		if f.See != "" {
			fmt.Fprintf(&text, "%25s  see %s\n", "", f.See)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
