package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Write prints findings for people: a line for each, below it what follows and what to do.
func Write(w io.Writer, found []Finding) error {
	var text strings.Builder
	for _, f := range found {
		fmt.Fprintf(&text, "%-7s  %-14s  %s\n", f.Level, f.Check, f.Found)
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
