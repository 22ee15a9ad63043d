// Package parts cuts JSON into its parts. Its texts must be valid: encoding/json reads an answer
// once to be sure of that, and would read it twice more for each level of what is cut out of it.
package parts

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// Members returns the members of a valid JSON object; of one that appears twice, the last. The
// values are parts of the object's memory.
func Members(object json.RawMessage) map[string]json.RawMessage {
	m := make(map[string]json.RawMessage, min(len(object)/memberBytes, membersMost))
	parse(object).ForEach(func(key, value gjson.Result) bool {
		m[Text(json.RawMessage(key.Raw))] = part(object, value)
		return true
	})
	return m
}

// Maps that grow cost more than the rest: these are about the bytes of a member of a card, and as
// many members as a card has.
const (
	memberBytes = 32
	membersMost = 64
)

// Valid reports whether a text is JSON. It is several times as fast as encoding/json's.
func Valid(text []byte) bool { return gjson.ValidBytes(text) }

// Elements returns the elements of a valid JSON list.
func Elements(list json.RawMessage) []json.RawMessage {
	var parts []json.RawMessage
	parse(list).ForEach(func(_, value gjson.Result) bool {
		parts = append(parts, part(list, value))
		return true
	})
	return parts
}

// parse does not copy the text, which may have megabytes: nobody changes it meanwhile.
func parse(text json.RawMessage) gjson.Result {
	return gjson.Parse(unsafe.String(unsafe.SliceData(text), len(text))) //nolint:gosec // see above
}

func part(of json.RawMessage, value gjson.Result) json.RawMessage {
	end := value.Index + len(value.Raw)
	return of[value.Index:end:end]
}

// Text is the text of a valid JSON string.
func Text(literal json.RawMessage) string {
	if text := literal[1 : len(literal)-1]; plain(text) {
		return string(text)
	}
	var s string
	_ = json.Unmarshal(literal, &s) // it is valid
	return s
}

// plain reports whether the inside of a JSON string is its text as it is.
func plain(inside []byte) bool {
	return bytes.IndexByte(inside, '\\') < 0 && utf8.Valid(inside)
}
