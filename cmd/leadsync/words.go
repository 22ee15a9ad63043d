package main

import (
	"encoding/json"
	"io"
	"strings"

	"leadsync/doctor"
	"leadsync/handlers/console"
	"leadsync/handlers/language"
	"leadsync/service"
	"leadsync/shell"
)

// paint colours the word of a level.
func (a *app) paint(level doctor.Level, words string) string {
	colours := shell.NewColours(service.IsTerminal(a.stdout), a.lookup)
	switch level {
	case doctor.OK:
		return colours.Good(words)
	case doctor.Fault:
		return colours.Bad(words)
	default:
		return colours.Doubtful(words)
	}
}

// style is how findings are printed for whoever reads a language.
func (a *app) style(lang string) doctor.Style {
	return doctor.Style{
		Paint: a.paint,
		Words: func(text string) string { return console.RetoldPlain(lang, text) },
		Page: func(see string) string {
			if lang == language.Russian {
				return strings.Replace(see, "docs/trouble.md", "docs/ru/trouble.md", 1) // its headings have the same addresses
			}
			return see
		},
	}
}

// report is what a command has to say.
type report interface {
	WriteText(out io.Writer) error // as people read it; programs read it as JSON
}

// print prints a report.
func (a *app) print(r report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	return r.WriteText(a.stdout)
}
