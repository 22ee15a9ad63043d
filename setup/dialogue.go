package setup

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"

	"leadsync/handlers/language"
)

// dialogue asks a person, and says things to whoever reads the output. What is wrong with an answer is in English, as in the log.
type dialogue struct {
	terminal Terminal // nil where nobody can be asked
	language string
	out      io.Writer
}

// there tells whether somebody can be asked.
func (d dialogue) there() bool { return d.terminal != nil }

// words are a text in the language of the person.
func (d dialogue) words(format string, args ...any) string {
	return language.Say(d.language, format, args...)
}

func (d dialogue) say(format string, args ...any) { fmt.Fprintln(d.out, d.words(format, args...)) }

// line asks a question that is in the person's language already.
func (d dialogue) line(ctx context.Context, question string) (string, error) {
	return d.typed(ctx, func(ctx context.Context, question string) (string, error) {
		answer, err := d.terminal.Ask(ctx, question)
		return strings.TrimSpace(answer), err
	}, question)
}

// hidden asks for what is not shown; spaces may be part of a password.
func (d dialogue) hidden(ctx context.Context, question string) (string, error) {
	return d.typed(ctx, d.terminal.AskSecret, question)
}

// typed asks again where a key has left a character that nobody wants, and that the file could not have.
func (d dialogue) typed(ctx context.Context, ask func(context.Context, string) (string, error), question string) (string, error) {
	for {
		answer, err := ask(ctx, question+": ")
		if err != nil || !hasControl(answer) {
			return answer, err
		}
		d.say("  the answer has a control character, as arrow keys leave one: please type it again")
	}
}

// hasControl tells whether a text has characters that no line of a settings file can have.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
}

// yes asks a question until the answer is yes or no; Enter alone is no.
func (d dialogue) yes(ctx context.Context, question string) (bool, error) {
	for {
		answer, err := d.line(ctx, d.words(question+" [y/N]"))
		switch strings.ToLower(answer) {
		case "y", "yes", "д", "да":
			return true, err
		case "", "n", "no", "н", "нет":
			return false, err
		}
		if err != nil {
			return false, err
		}
		d.say("  that is neither yes nor no: answer y or n")
	}
}

// insist asks, by line or by hidden, for what may not be cleared, because of the reason.
func (d dialogue) insist(ctx context.Context, ask func(context.Context, string) (string, error), question, reason string) (string, error) {
	for {
		answer, err := ask(ctx, question)
		if strings.TrimSpace(answer) != clearing || err != nil {
			return answer, err
		}
		d.say("  this cannot be cleared: %s", reason)
	}
}

// clearing is the answer that empties what the former file has.
const clearing = "-"

// cleared is an answer that may be empty.
func cleared(answer string) string {
	if answer == clearing {
		return ""
	}
	return answer
}
