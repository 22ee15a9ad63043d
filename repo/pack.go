package repo

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// packer writes rows as a list of JSON objects, which a statement reads as a table. false says
// that it cannot write one of the texts.
type packer func(columns []string, rows [][]any) (string, bool)

// packPlain is JSON as everybody reads it.
func packPlain(columns []string, rows [][]any) (string, bool) {
	return pack(columns, rows, func(_, s string) (string, bool) {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(s)
		return strings.TrimSuffix(b.String(), "\n"), err == nil
	})
}

// coded replaces what JSON would escape. The statements undo it (contacts_add.sql), ^0 last.
var coded = strings.NewReplacer("^", "^0", `"`, "^q", `\`, "^b", "\n", "^n", "\r", "^r", "\t", "^t")

// codedColumns are the columns whose codes the statements undo. The others have names, ids and
// digits.
var codedColumns = map[string]bool{
	"sql_VALUE": true, "value": true, "sql_solution": true, "sql_error": true, "sql_full_lead_info": true,
}

// packCoded is JSON without escapes, because not every server that speaks SQL Server's language
// reads them. Texts with other control characters and texts over 4,000 characters, which such a
// server cuts, cannot be packed; nearly no lead has them.
func packCoded(columns []string, rows [][]any) (string, bool) {
	return pack(columns, rows, func(column, s string) (string, bool) {
		c := coded.Replace(s)
		return `"` + c + `"`, (c == s || codedColumns[column]) && !long(c) && strings.IndexFunc(c, func(r rune) bool { return r < ' ' }) < 0
	})
}

func pack(columns []string, rows [][]any, quote func(column, s string) (string, bool)) (string, bool) {
	var b strings.Builder
	separator := byte('[')
	for _, row := range rows {
		b.WriteByte(separator)
		b.WriteByte('{')
		for i, column := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			text, ok := jsonValue(row[i], func(s string) (string, bool) { return quote(column, s) })
			if !ok {
				return "", false
			}
			b.WriteString(`"` + column + `":` + text)
		}
		b.WriteByte('}')
		separator = ','
	}
	if len(rows) == 0 {
		b.WriteByte('[')
	}
	b.WriteByte(']')
	return b.String(), true
}

// jsonValue is one value of a row. Values of other types are a mistake in leadsync.
func jsonValue(value any, quote func(string) (string, bool)) (string, bool) {
	switch v := value.(type) {
	case sql.NullString:
		if !v.Valid {
			return "null", true
		}
		return quote(v.String)
	case string:
		return quote(v)
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		panic(fmt.Sprintf("leadsync/repo: value of type %T in a list of rows", value))
	}
}
