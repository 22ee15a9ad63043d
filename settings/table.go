package settings

import (
	"fmt"
	"strings"
)

// The lines between which the documentation has the table.
const (
	TableBegin = "<!-- settings: made from settings/list.go by go test ./settings -update -->"
	TableEnd   = "<!-- settings: end -->"
)

// Table is the list in Markdown. Links in it begin at the root of the repository; back leads there.
func Table(back string) string {
	var text strings.Builder
	text.WriteString("| variable | kind | default | meaning |\n|---|---|---|---|\n")
	for _, group := range Groups {
		fmt.Fprintf(&text, "| **%s** | | | |\n", group.Title)
		for _, s := range group.Settings {
			kind, otherwise, means := string(s.Kind), "–", s.Means
			switch {
			case s.Default != "":
				otherwise = "`" + s.Default + "`"
			case s.Otherwise != "":
				otherwise = s.Otherwise
			}
			if s.Secret {
				kind += ", secret"
			}
			if s.More != "" {
				means = strings.ReplaceAll(s.More, "](docs/", "]("+back+"docs/")
			}
			fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", s.Name, kind, otherwise, means)
		}
	}
	return text.String()
}
