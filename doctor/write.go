package doctor

import (
	"fmt"
	"io"
	"strings"

	"leadsync/leads"
)

// Style is how findings are printed; nil leaves words as they are.
type Style struct {
	Paint func(level Level, word string) string // colours the word of a level
	Words func(text string) string              // says a text in the reader's language
	Page  func(see string) string               // finds a page in that language
}

// Write prints findings for people: a line for each, below it what follows and what to do. Levels keep their words, which pages and
// programs name.
func Write(w io.Writer, found []Finding, style Style) error {
	words := style.Words
	if words == nil {
		words = func(text string) string { return text }
	}
	say := func(text string) string { return leads.OneLine(words(text)) }
	var text strings.Builder
	for _, f := range found {
		level := fmt.Sprintf("%-7s", f.Level)
		if style.Paint != nil {
			level = style.Paint(f.Level, level)
		}
		fmt.Fprintf(&text, "%s  %-14s  %s\n", level, say(f.Check), say(f.Found))
		if f.Means != "" {
			fmt.Fprintf(&text, "%25s  %s: %s\n", "", words("so"), say(f.Means))
		}
		if f.Do != "" {
			fmt.Fprintf(&text, "%25s  -> %s\n", "", say(f.Do))
		}
		if f.Says != "" {
			fmt.Fprintf(&text, "%25s  %s: %s\n", "", words("the error says"), leads.OneLine(f.Says))
		}
		if f.See != "" {
			fmt.Fprintf(&text, "%25s  %s %s\n", "", words("see"), style.page(f.See))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (s Style) page(see string) string {
	if s.Page == nil {
		return see
	}
	return s.Page(see)
}
