package language

import (
	"maps"
	"slices"
)

// Texts are the texts of a catalogue, but for the formats of other packages.
func Texts(lang string) []string { return slices.Sorted(maps.Keys(in(lang).texts)) }

// Size is how many entries a catalogue has.
func Size(lang string) int {
	n := len(in(lang).texts)
	for _, formats := range in(lang).formats {
		n += len(formats)
	}
	return n
}
