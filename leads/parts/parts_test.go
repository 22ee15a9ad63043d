package parts_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads/parts"
)

// FuzzParts wants of every valid object, list and string what encoding/json makes of it.
func FuzzParts(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `""`, `{"a":1,"b":[1,{"c":"]}"}],"a":"the last wins"}`, ` { "a" : null , "b" : -1.5e3 } `, `[1, [2], {"a": "\\\""}, true, "x"]`,
		`"\u0417\ud83d\ude00"`, `{"T\u0049TLE":"a\nb"}`, `"plain, but \"quoted\""`, "\"\xff\"", `"\ud800"`, `{"":{"":""}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		var s string
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
