package leads

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// HashVersion names the version of the canonical form. A stored hash of another version
// cannot be compared, so the row is compared by its card and gets a new hash.
const HashVersion = "v2:"

// Hash is the SHA-256 of the lead's canonical form: HashVersion and 64 hex digits. In the
// canonical form, values that portals write in several ways are equal (null, "" and absent;
// "0" where it means no reference; a list and the map that PHP may write for it), and
// volatile fields are left out.
func (l *Lead) Hash() string {
	hash, _ := l.HashAndNames()
	return hash
}

// HashAndNames is Hash, and the names of the fields that are not empty, sorted: those in which the
// card differs from an empty one.
func (l *Lead) HashAndNames() (hash string, names []string) {
	values := l.canonical()
	names = slices.Sorted(maps.Keys(values))
	text := make([]byte, 0, len(l.Raw))
	for _, name := range names {
		text = append(append(text, name...), 0)
		text = append(append(text, values[name]...), 0)
	}
	sum := sha256.Sum256(text)
	return HashVersion + hex.EncodeToString(sum[:]), names
}

// Diff names the fields in which two cards differ in canonical form, sorted; nil where they
// are equal.
func Diff(a, b *Lead) []string {
	before, after := a.canonical(), b.canonical()
	var names []string
	for name, value := range after {
		if before[name] != value {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// canonical maps the name of every non-empty field to the canonical form of its value.
func (l *Lead) canonical() map[string]string {
	m := make(map[string]string, len(l.Values))
	for i, f := range Fields {
		if f.Volatile() || l.Values[i] == "" || f.Kind == RefKind && l.Values[i] == "0" {
			continue
		}
		m[f.Name] = l.Values[i]
	}
	for name, value := range l.Custom {
		if text := canonicalCustom(value); text != "" {
			m[name] = text
		}
	}
	for _, c := range l.Contacts {
		m[c.TypeID] += c.text()
	}
	return m
}

func (c Contact) text() string {
	return strings.Join([]string{c.ID, c.ValueType, c.Value}, "\x01") + "\x02"
}

// canonicalCustom is the canonical form of a custom field's value: null, "", "0", false, []
// and {} become "", true becomes "1" (docs/bitrix24.md 6.3: portals write the boolean of a
// custom field as "1", "0", true, false or null).
func canonicalCustom(value json.RawMessage) string {
	v, err := decoded(value)
	if err != nil {
		return string(value)
	}
	switch v := canonicalValue(v).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return string(value)
		}
		return string(text)
	}
}

func canonicalValue(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return "1"
		}
	case json.Number:
		if v != "0" {
			return v.String()
		}
	case string:
		if v != "" && v != "0" {
			return v
		}
	case []any:
		return canonicalList(v)
	case map[string]any:
		if list, ok := listOf(v); ok {
			return canonicalList(list)
		}
		return canonicalMap(v)
	}
	return nil
}

// canonicalList keeps the places of empty elements; a list of nothing but those is empty.
func canonicalList(v []any) any {
	list, empty := make([]any, len(v)), true
	for i := range v {
		list[i] = canonicalValue(v[i])
		empty = empty && list[i] == nil
	}
	if empty {
		return nil
	}
	return list
}

// canonicalMap leaves out empty values: they are the same as absent ones.
func canonicalMap(v map[string]any) any {
	m := make(map[string]any, len(v))
	for name := range v {
		if value := canonicalValue(v[name]); value != nil {
			m[name] = value
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}
