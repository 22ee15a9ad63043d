package console

import (
	"maps"
	"slices"
)

// Say is a text in a language.
func Say(lang, text string) string { return say(lang, text) }

// DoneWords are the texts that say what was done.
func DoneWords() []string { return slices.Collect(maps.Values(doneWords)) }

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
	return append(all, "%s: last %s", "%s: nothing is known of that time", "ok", "unknown", "warning", "fault", "%s min", "%s h", "%s d", "%s s", "licence")
}

// Patterns are what the pages answer, as methods and paths, without what everybody may read.
func Patterns() (all []string) {
	for _, part := range partsOf(&Config{}) {
		all = slices.AppendSeq(all, maps.Keys(part.routes()))
	}
	return all
}
