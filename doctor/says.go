package doctor

import (
	"cmp"
	"errors"
	"strings"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/repo"
)

// spoken is what the driver writes before each message of SQL Server in the text of an error.
const spoken = "mssql: "

// refusal is a sentence for where the server's own words are all that is known.
const refusal = "the server refused a question"

// SentenceError is an error whose words are a sentence of leadsync's, so that it can be said in the reader's language. The words of any
// other error are for whoever looks after what failed: they stand apart.
type SentenceError string

// Error implements error.
func (s SentenceError) Error() string { return string(s) }

// because adds why something failed: to the sentence where the error has one of ours, else apart from it, in the error's own words.
func (f Finding) because(err error) Finding {
	sentence, ours := errors.AsType[SentenceError](err)
	advised, hasAdvice := errors.AsType[repo.AdvisedError](err)
	refusal, refused := errors.AsType[*bitrix24.Error](err)
	switch {
	case ours:
		f.Found += ": " + string(sentence)
	case hasAdvice:
		f.Found, f.Do = f.Found+": "+advised.Unwrap().Error(), cmp.Or(f.Do, advised.Advice)
	case refused && refusal.Advice != "":
		said := *refusal
		said.Advice = ""
		f.Found, f.Says = f.Found+": "+refusal.Advice, said.Error()
	default:
		f.Says = ownWords(err.Error())
	}
	return f
}

// ownWords are those of an error in one line; of one that SQL Server sent, what the server said.
func ownWords(text string) string {
	if _, said, found := strings.Cut(text, spoken); found {
		text = said
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, spoken)
	}
	return strings.Join(lines, " · ")
}

// Apart sets the words of a database's error apart from what leadsync says of it. They are in the server's language.
func (f Finding) Apart() Finding {
	unavailable := leads.ErrUnavailable.Error()
	if before, words, found := strings.Cut(f.Found, unavailable+": "); found {
		f.Found, f.Says = before+unavailable, ownWords(words)
	} else if before, words, found = strings.Cut(f.Found, spoken); found {
		f.Found, f.Says = strings.TrimSuffix(before, ": "), ownWords(words)
	}
	return f
}
