// Package parts cuts JSON into its parts. Its texts must be valid: encoding/json reads an answer
// once to be sure of that, and would read it twice more for each level of what is cut out of it.
package parts

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
	"unique"
	"unsafe"

	"github.com/tidwall/gjson"
)

// Members returns the members of a valid JSON object; of one that appears twice, the last. The
// values are parts of the object's memory.
func Members(object json.RawMessage) map[string]json.RawMessage {
	m := make(map[string]json.RawMessage, min(len(object)/memberBytes, membersMost))
	AddMembers(m, object)
	return m
}

// AddMembers adds them to a map.
func AddMembers(to map[string]json.RawMessage, object json.RawMessage) {
	parse(object).ForEach(func(key, value gjson.Result) bool {
		to[name(key.Raw)] = part(object, value)
		return true
	})
}

// Maps that grow cost more than the rest: these are about the bytes of a member of a card, and as
// many members as a card has.
const (
	memberBytes = 32
	membersMost = 64
)

// Valid reports whether a text is JSON. It is several times as fast as encoding/json's.
func Valid(text []byte) bool { return gjson.ValidBytes(text) }

// Compact returns a text without the spaces between its parts: the text itself where it has none.
// The error is that of encoding/json where it is not JSON.
func Compact(text json.RawMessage) (json.RawMessage, error) {
	if dense(text) && Valid(text) {
		return text, nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, text)
	return b.Bytes(), err
}

// depthMost is how deep the parts of a text may lie in each other that goes past encoding/json,
// which refuses 10,000.
const depthMost = 100

// dense reports whether a text has no spaces between its parts, and is not too deep. It need not be JSON.
func dense(text []byte) bool {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			return false
		case '[', '{':
			if depth++; depth > depthMost {
				return false
			}
		case ']', '}':
			depth--
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return true
}

// Elements returns the elements of a valid JSON list.
func Elements(list json.RawMessage) []json.RawMessage {
	var parts []json.RawMessage
	parse(list).ForEach(func(_, value gjson.Result) bool {
		parts = append(parts, part(list, value))
		return true
	})
	return parts
}

func parse(text json.RawMessage) gjson.Result { return gjson.Parse(view(text)) }

// view does not copy the text, which may have megabytes: nobody changes it meanwhile.
func view(text []byte) string { return unsafe.String(unsafe.SliceData(text), len(text)) } //nolint:gosec // see above

func part(of json.RawMessage, value gjson.Result) json.RawMessage {
	end := value.Index + len(value.Raw)
	return of[value.Index:end:end]
}

// name is the text of a member's name. All cards of a portal have the same names, so they share
// their memory.
func name(literal string) string {
	if inside := literal[1 : len(literal)-1]; plain(inside) {
		return unique.Make(inside).Value()
	}
	return Text(json.RawMessage(literal))
}

// Text is the text of a valid JSON string.
func Text(literal json.RawMessage) string {
	switch inside := view(literal[1 : len(literal)-1]); {
	case plain(inside):
		return strings.Clone(inside)
	case utf8.ValidString(inside) && !strings.Contains(inside, `\ud`) && !strings.Contains(inside, `\uD`):
		return parse(literal).String()
	}
	var s string
	_ = json.Unmarshal(literal, &s) // it is valid; gjson leaves invalid UTF-8 and the halves of a character as they are
	return s
}

// plain reports whether the inside of a JSON string is its text as it is.
func plain(inside string) bool {
	return strings.IndexByte(inside, '\\') < 0 && utf8.ValidString(inside)
}
