package console

import (
	"maps"
	"slices"
	"time"

	"leadsync/handlers/language"
	"leadsync/leads"
)

// TookOf and LeftOf are how long a pass took, and will still take where the portal has so many leads.
func TookOf(run leads.Run) time.Duration { return took(run, time.Now()) }

func LeftOf(run leads.Run, total int64) time.Duration {
	return viewRun(run, PortalStatus{Leads: total}, time.Now()).Left()
}

// Say is a text in a language.
func Say(lang, text string) string { return language.Say(lang, text) }

// DoneWords are the texts that say what was done.
func DoneWords() []string { return slices.Collect(maps.Values(doneWords)) }

// Phrase is a sentence of another package, and how the pages say it in both languages.
type Phrase struct{ Format, English, Russian string }

// Phrases are all of them; words and details are one text.
func Phrases() (all []Phrase) {
	for _, p := range slices.Concat(sentences(), endings()) {
		all = append(all, Phrase{p.format, p.english.words + "|" + p.english.detail, p.russian.words + "|" + p.russian.detail})
	}
	return all
}

// Retold is how the pages say a sentence of another package.
func Retold(lang, text string) (words, detail string) {
	s := retold(lang, text)
	return s.words, s.detail
}

// Known tells whether a text is among those that have Russian.
func Known(text string) bool { return language.Has(language.Russian, text) }

// FixedWords are texts that no template names.
func FixedWords() (all []string) {
	for _, kind := range chartKinds {
		all = append(all, kind.Title)
		for _, line := range kind.lines {
			if line.name != "" {
				all = append(all, line.name)
			}
		}
	}
	for _, span := range chartSpans {
		all = append(all, span.Words)
	}
	for _, a := range adviceFor {
		all = append(all, a.words)
	}
	for _, one := range refusalWords {
		all = append(all, one.do)
	}
	return append(all, "portal %s", "callbacks of %s", "%s: last %s", "%s: nothing is known of that time", "ok", "unknown", "warning", "fault", "%s min", "%s h", "%s d", "%s s", "licence")
}

// Patterns are what the pages answer, as methods and paths, without what everybody may read.
func Patterns() (all []string) {
	for _, part := range partsOf(&Config{}) {
		all = slices.AppendSeq(all, maps.Keys(part.routes()))
	}
	return all
}
