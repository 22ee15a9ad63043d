package leads

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"

	"leadsync/leads/parts"
)

// PHP writes a list as a map with whole-number keys where an element was removed or the
// elements were sorted. Such a map is the list of its values, in the order of its keys.
var wholeNumber = regexp.MustCompile(`^(?:0|-?[1-9][0-9]{0,17})$`)

// ParseList returns the elements of a JSON list, or of a map with whole-number keys; false
// where the value is neither.
func ParseList(value json.RawMessage) ([]json.RawMessage, bool) {
	if !json.Valid(value) {
		return nil, false
	}
	return listed(value)
}

// listed is ParseList for valid JSON.
func listed(value json.RawMessage) ([]json.RawMessage, bool) {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '[':
		return parts.Elements(value), true
	case '{':
		return listOf(parts.Members(value))
	default:
		return nil, false
	}
}

// listOf returns the values of a map by ascending key; false where a key is not a whole
// number. An empty map is an empty list.
func listOf[V any](m map[string]V) ([]V, bool) {
	keys := make([]int64, 0, len(m))
	for name := range m {
		if !wholeNumber.MatchString(name) {
			return nil, false
		}
		key, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, false
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	list := make([]V, len(keys))
	for i, key := range keys {
		list[i] = m[strconv.FormatInt(key, 10)]
	}
	return list, true
}

// isEmpty reports whether a value means that a field has none: null, "", false, [], {}, or
// a list or a map of nothing but those.
func isEmpty(value json.RawMessage) bool {
	switch value = bytes.TrimSpace(value); {
	case len(value) == 0, value[0] == 'n', value[0] == 'f', string(value) == `""`:
		return true
	case value[0] == '[' || value[0] == '{':
		return canonicalCustom(value) == ""
	default:
		return false
	}
}

// shapeOf says in words what a JSON value is.
func shapeOf(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '"':
		return "a text"
	case '[':
		return "a list"
	case '{':
		return "a map"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
