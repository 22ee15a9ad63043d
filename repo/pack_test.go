package repo

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
)

// decoded undoes what packCoded does, as contacts_add.sql does it: the codes in this order.
func decoded(s string) string {
	for _, code := range [][2]string{{"^q", `"`}, {"^b", `\`}, {"^n", "\n"}, {"^r", "\r"}, {"^t", "\t"}, {"^0", "^"}} {
		s = strings.ReplaceAll(s, code[0], code[1])
	}
	return s
}

func TestListsHaveNoEscapes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"plain", "Иван 🙂", true},
		{"quotes and backslashes", `ООО "Ромашка" C:\dir\new`, true},
		{"lines", "a\r\nb\tc", true},
		{"codes that are text", `^q ^^b ^0 ^0q \^n "^`, true},
		{"another control character", "a\x1fb", false},
		{"4,000 characters", strings.Repeat("ж", 4000), true},
		{"4,001 characters", strings.Repeat("ж", 4001), false},
		{"long only with its codes", strings.Repeat(`"`, 2001), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, ok := packCoded([]string{"value", "b", "c"}, [][]any{{c.text, sql.NullString{}, true}})
			if _, other := packCoded([]string{"sql_TYPE_ID"}, [][]any{{c.text}}); other != (ok && coded.Replace(c.text) == c.text) {
				t.Errorf("packed for a column without codes: %v", other)
			}
			if ok != c.ok {
				t.Fatalf("packed: %v, want %v", ok, c.ok)
			}
			if !ok {
				return
			}
			if strings.Contains(list, `\`) {
				t.Errorf("%s has an escape", list)
			}
			var rows []struct {
				Value string
				B     *string
				C     bool
			}
			if err := json.Unmarshal([]byte(list), &rows); err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || decoded(rows[0].Value) != c.text || rows[0].B != nil || !rows[0].C {
				t.Errorf("%s is read as %+v", list, rows)
			}
		})
	}
}
