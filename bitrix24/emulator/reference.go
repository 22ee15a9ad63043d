package emulator

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"leadsync/bitrix24"
)

// reference is $result[key][…] in a command of a batch.
var reference = regexp.MustCompile(`\$result((?:\[[^\[\]]*\])+)`)

// substitute replaces references by earlier results. A reference that cannot be resolved stays
// as it is (docs/bitrix24.md 5.1). One that is the whole value and stands for a list or a map
// is replaced by all of it.
func (b *batchResult) substitute(f *bitrix24.Form) {
	for _, c := range f.Children {
		b.substitute(c)
	}
	if !strings.Contains(f.Value, "$result[") {
		return
	}
	if m := reference.FindStringSubmatch(f.Value); m[0] == f.Value {
		if v, ok := b.find(m[1]); ok {
			fill(f, v)
			return
		}
	}
	f.Value = reference.ReplaceAllStringFunc(f.Value, func(ref string) string {
		v, ok := b.find(strings.TrimPrefix(ref, "$result"))
		text, scalar := phpText(v)
		if !ok || !scalar {
			return ref
		}
		return text
	})
}

// find follows [key][…] into the results so far.
func (b *batchResult) find(brackets string) (any, bool) {
	path := strings.Split(strings.Trim(brackets, "[]"), "][")
	var at any = b.results
	for _, name := range path {
		next, ok := member(at, name)
		if !ok {
			return nil, false
		}
		at = next
	}
	return at, true
}

// member is one step down into a value.
func member(v any, name string) (any, bool) {
	switch v := v.(type) {
	case array:
		return object(v).member(name)
	case object:
		return v.member(name)
	case list:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	case leadRows:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v.leads) {
			return leadRow{v.leads[i], v.view}, true
		}
	case leadRow:
		if name == "ID" { // the usual reference: pages of a list are linked by it
			return strconv.FormatInt(v.lead.id, 10), true
		}
		return member(parsed(v), name)
	case encoder:
		return member(parsed(v), name)
	}
	return nil, false
}

func (o object) member(name string) (any, bool) {
	for _, p := range o {
		if p.key == name {
			return p.val, true
		}
	}
	return nil, false
}

// parsed is the tree of a value that writes its own JSON.
func parsed(v encoder) any {
	var tree any
	if err := json.Unmarshal(v.appendJSON(nil), &tree); err != nil {
		return nil
	}
	return fromJSON(tree)
}

func fromJSON(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		o := make(object, 0, len(t))
		for k, v := range t {
			o = append(o, pair{k, fromJSON(v)})
		}
		return o
	case []any:
		l := make(list, 0, len(t))
		for _, v := range t {
			l = append(l, fromJSON(v))
		}
		return l
	default:
		return tree
	}
}

// phpText is a scalar as PHP converts it to text; false for lists and maps.
func phpText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		if v {
			return "1", true
		}
		return "", true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return string(appendFloat(nil, v)), true
	default:
		return "", false
	}
}

// fill sets a parameter to the value that a reference stands for.
func fill(f *bitrix24.Form, v any) {
	if text, ok := phpText(v); ok {
		f.Value = text
		return
	}
	f.Value = ""
	switch v := v.(type) {
	case object:
		for _, p := range v {
			fill(f.Add(p.key, ""), p.val)
		}
	case array:
		for _, p := range v {
			fill(f.Add(p.key, ""), p.val)
		}
	case list:
		for _, item := range v {
			fill(f.Add("", ""), item)
		}
	case encoder:
		fill(f, parsed(v))
	}
}
