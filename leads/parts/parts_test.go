package parts_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads/parts"
)

// FuzzParts wants of every valid object, list and string what encoding/json makes of it.
func FuzzParts(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `""`, `{"a":1,"b":[1,{"c":"]}"}],"a":"the last wins"}`, ` { "a" : null , "b" : -1.5e3 } `, `[1, [2], {"a": "\\\""}, true, "x"]`,
		`"\u0417\ud83d\ude00"`, `"\uD83d\uDe00"`, `"\uDE00"`, `"\u0000\/\b\f\n\r\t\\\""`, `[01]`, "\"\x01\"", `"\x"`, `"\u12g4"`, `[1.]`, `[-]`, `{"a":1,}`, `{"T\u0049TLE":"a\nb"}`, `"plain, but \"quoted\""`, "\"\xff\"", `"\ud800"`, `{"":{"":""}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		var s string
		if want := json.Valid(text); parts.Valid(text) != want {
			t.Errorf("valid is %v, want %v", !want, want)
		}
		var compact bytes.Buffer
		want := json.Compact(&compact, text)
		if got, err := parts.Compact(text); (err == nil) != (want == nil) || err == nil && !bytes.Equal(got, compact.Bytes()) {
			t.Errorf("compact is %s (%v), want %s (%v)", got, err, compact.Bytes(), want)
		}
		switch {
		case !json.Valid(text):
		case json.Unmarshal(text, &object) == nil && object != nil:
			if diff := cmp.Diff(object, parts.Members(text)); diff != "" {
				t.Errorf("members (-encoding/json +parts):\n%s", diff)
			}
		case json.Unmarshal(text, &list) == nil && len(list) > 0:
			if diff := cmp.Diff(list, parts.Elements(text)); diff != "" {
				t.Errorf("elements (-encoding/json +parts):\n%s", diff)
			}
		case text[0] == '"' && text[len(text)-1] == '"' && json.Unmarshal(text, &s) == nil:
			if got := parts.Text(text); got != s {
				t.Errorf("text %q, want %q", got, s)
			}
		}
	})
}

// A text as deep as this would need more memory for one call in another than a process may have.
func TestDeepTextIsLeftToTheLibrary(t *testing.T) {
	deep := bytes.Repeat([]byte("["), 20_000)
	if _, err := parts.Compact(append(deep, bytes.Repeat([]byte("]"), len(deep))...)); err == nil {
		t.Error("a text 20,000 lists deep is taken")
	}
}
