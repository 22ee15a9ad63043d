package console

import (
	"maps"
	"slices"
)

// Say is a text in a language.
func Say(lang, text string) string { return say(lang, text) }

// DoneWords are the texts that say what was done.
func DoneWords() []string { return slices.Collect(maps.Values(doneWords)) }
