package emulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// member is a member of a JSON object; objects keep their order here.
type member struct {
	key string
	val any // []member, []any, string, json.Number, bool, nil
}

func tree(tb testing.TB, text []byte) any {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	v, err := readTree(dec)
	if err != nil {
		tb.Fatalf("%v: %.300s", err, text)
	}
	return v
}

func readTree(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	object, all := []member{}, []any{}
	for dec.More() {
		var key string
		if open == '{' {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key = fmt.Sprint(k)
		}
		v, err := readTree(dec)
		if err != nil {
			return nil, err
		}
		object, all = append(object, member{key, v}), append(all, v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if open == '{' {
		return object, nil
	}
	return all, nil
}

// golden compares an answer with an example: same keys in the same order, same
// types, same conventions. Values may differ; null and text may stand for each
// other, because fields may be empty.
type golden struct {
	tb      testing.TB
	extra   *regexp.Regexp // paths at which more keys are allowed
	lenient *regexp.Regexp // paths at which keys may be missing or in another order
}

var conventions = map[string]*regexp.Regexp{
	"a date with offset": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$`),
	"a whole number":     regexp.MustCompile(`^\d{1,18}$`),
	"a flag":             regexp.MustCompile(`^[YN]$`),
	"a sum":              regexp.MustCompile(`^\d+\.\d\d$`),
	"an address":         regexp.MustCompile(`^https?://`),
}

func (g *golden) compare(path string, want, got any) {
	g.tb.Helper()
	switch want := want.(type) {
	case []member:
		object, ok := got.([]member)
		if !ok {
			g.tb.Errorf("%s: got %v, want an object", path, got)
			return
		}
		g.object(path, want, object)
	case []any:
		all, ok := got.([]any)
		if !ok {
			g.tb.Errorf("%s: got %v, want a list", path, got)
			return
		}
		for i, item := range all {
			if len(want) > 0 {
				g.compare(fmt.Sprintf("%s[%d]", path, i), counterpart(want, i, item), item)
			}
		}
	default:
		g.scalar(path, want, got)
	}
}

// counterpart is the item of an example's list to compare with: the one for the same custom
// field if there is one, otherwise the one at the same place.
func counterpart(want []any, i int, item any) any {
	name := func(v any) any {
		object, _ := v.([]member)
		for _, m := range object {
			if m.key == "FIELD_NAME" {
				return m.val
			}
		}
		return nil
	}
	for _, w := range want {
		if name(w) != nil && name(w) == name(item) {
			return w
		}
	}
	return want[min(i, len(want)-1)]
}

func (g *golden) object(path string, want, got []member) {
	g.tb.Helper()
	at := 0
	for _, w := range want {
		found := -1
		for i, m := range got {
			if m.key == w.key {
				found = i
			}
		}
		lenient := g.lenient != nil && g.lenient.MatchString(path+"."+w.key)
		switch {
		case found < 0 && !lenient:
			g.tb.Errorf("%s lacks %s", path, w.key)
		case found >= 0 && found < at && !lenient:
			g.tb.Errorf("%s: %s comes too early", path, w.key)
		}
		if found >= 0 {
			at = max(at, found)
			g.compare(path+"."+w.key, w.val, got[found].val)
		}
	}
	for _, m := range got {
		known := operatingKey.MatchString(path + "." + m.key) // old samples lack it
		for _, w := range want {
			known = known || w.key == m.key
		}
		if !known && (g.extra == nil || !g.extra.MatchString(path+"."+m.key)) {
			g.tb.Errorf("%s has %s, which the example lacks", path, m.key)
		}
	}
}

func (g *golden) scalar(path string, want, got any) {
	g.tb.Helper()
	if w, g := fmt.Sprintf("%T", want), fmt.Sprintf("%T", got); w == g && w != "string" {
		return
	}
	text, ok := got.(string)
	if !ok && got != nil || ok && want != nil && fmt.Sprintf("%T", want) != "string" {
		g.tb.Errorf("%s: got %T %v, want %T %v", path, got, got, want, want)
		return
	}
	sample, _ := want.(string)
	if strings.HasSuffix(path, "SHOW_FILTER") { // looks like a flag but is not one
		return
	}
	for name, form := range conventions {
		if form.MatchString(sample) && ok && text != "" && !form.MatchString(text) {
			g.tb.Errorf("%s: got %q, want %s like %q", path, text, name, sample)
		}
	}
}

var operatingKey = regexp.MustCompile(`time(\.\w+)?\.operating(_reset_at)?$`)

func example(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "examples", name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// send sends an example request to the portal, with a webhook or a token.
func (b *harness) send(tb testing.TB, name, token string) reply {
	tb.Helper()
	var ask struct {
		Method string         `json:"method"`
		URL    string         `json:"url"`
		Body   map[string]any `json:"body"`
	}
	if err := json.Unmarshal(example(tb, name), &ask); err != nil {
		tb.Fatal(err)
	}
	address := b.info.Webhook
	if token != "" {
		ask.Body["auth"] = token
		address = b.info.Portal + "/rest/"
	}
	return b.do(tb, ask.Method, address+ask.URL[strings.LastIndex(ask.URL, "/")+1:], "application/json", jsonText(tb, ask.Body))
}
