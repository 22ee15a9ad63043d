package leads

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// CardRules is the version of the rules by which WithoutTokens cleans. Change it with them:
// mirrors then clean the stored cards again.
const CardRules = "1"

// WithoutTokens removes from every link in a JSON text what gives access to the portal: the
// parameters auth, token, sessid and their like, and the secret of a webhook. Links to files
// contain such tokens, which differ at every read (docs/bitrix24.md 6.3). Apart from these
// links the text stays as it is. A text that is not JSON is cleaned as one string.
func WithoutTokens(text json.RawMessage) json.RawMessage {
	if !mayHaveTokens(text) {
		return text
	}
	if !json.Valid(text) {
		return json.RawMessage(withoutTokens(string(text)))
	}
	var out []byte
	last := 0
	for i := bytes.IndexByte(text, '"'); i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := literalEnd(text, i)
		if clean, changed := cleanLiteral(text[i:end]); changed {
			out = append(append(out, text[last:i]...), clean...)
			last = end
		}
		i = end - 1
	}
	if last == 0 {
		return text
	}
	return append(out, text[last:]...)
}

// mayHaveTokens is a quick test, which most texts fail.
func mayHaveTokens(text []byte) bool {
	for _, sign := range []string{"=", "%3", "%25", `\u00`, "rest", "REST"} {
		if bytes.Contains(text, []byte(sign)) {
			return true
		}
	}
	return false
}

// literalEnd is the end of the string literal of valid JSON that begins at i.
func literalEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func cleanLiteral(literal []byte) (clean []byte, changed bool) {
	if !mayHaveTokens(literal) {
		return nil, false
	}
	var s string
	if json.Unmarshal(literal, &s) != nil {
		return nil, false
	}
	t := withoutTokens(s)
	if t == s {
		return nil, false
	}
	return plainJSON(t), true
}

// withoutTokens cleans the links of one string, until nothing is left to remove: a link may
// stand in another's parameter.
func withoutTokens(s string) string {
	for {
		before := s
		for _, p := range parameters {
			s = p.cut(s)
		}
		s = webhookSecret.ReplaceAllString(s, "${1}-")
		if s == before {
			return s
		}
	}
}

// webhookSecret matches the beginning of a webhook's address with its secret.
var webhookSecret = regexp.MustCompile(`(?i)((?:/|%(?:25)*2F)rest(?:\\?/|%(?:25)*2F)[0-9]+(?:\\?/|%(?:25)*2F))[a-z0-9]{10,}`)

// parameter finds runs of secret parameters in links of one level of percent-encoding.
type parameter struct{ run *regexp.Regexp }

// parameters are the levels: plain, encoded, and encoded twice.
var parameters = []parameter{newParameter(0), newParameter(1), newParameter(2)}

// secretName matches the names of parameters that give access. PHP's names may have
// brackets: auth[access_token].
const secretName = `(?:[\w.-]+(?:\[|%(?:25)*5B))*` +
	`(?:[\w.-]*(?:token|sessid|secret|signature)|auth(?:orization|[_.-]?(?:id|key|code|hash))?|refresh[_.-]?id|(?:app[_.-]?)?sid|sign)` +
	`(?:(?:\[|%(?:25)*5B)[\w.-]*(?:\]|%(?:25)*5D)|(?:\]|%(?:25)*5D))*`

func newParameter(level int) parameter {
	const plainValue = `[^%&;#\s"'<>\\\[\]]`
	first, and, equals := `[?#]`, `(?:&amp;|&#0*38;|&#x0*26;|\\u0026|[&;])`, `=`
	value := `(?:` + plainValue + `|%)*`
	if level > 0 {
		percent := "%" + strings.Repeat("25", level-1)
		// What ends a value is not part of it: & # ; blank " ' < >, encoded.
		const octets = `(?:[014-9a-f][0-9a-f]|2[1489a-f]|3[0-9adf])`
		first, and, equals = percent+`(?:3F|23)`, percent+`(?:26amp`+percent+`3B|26|3B)`, percent+`3D`
		value = `(?:` + plainValue + `|` + percent + `(?:25|` + octets + `)|%` + octets + `)*`
	}
	one := secretName + equals + value
	return parameter{regexp.MustCompile(`(?i)(?:(` + first + `)|(` + and + `))` + one + `(?:` + and + one + `)*(` + and + `)?`)}
}

// cut removes the runs. Of the separators around a run, one stays if a parameter follows.
func (p parameter) cut(s string) string {
	var b strings.Builder
	last := 0
	for _, at := range p.run.FindAllStringSubmatchIndex(s, -1) {
		first, after := part(s, at, 1), part(s, at, 3)
		b.WriteString(s[last:at[0]])
		switch {
		case after == "":
		case first != "":
			b.WriteString(first)
		default:
			b.WriteString(after)
		}
		last = at[1]
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}

func part(s string, at []int, n int) string {
	if at[2*n] < 0 {
		return ""
	}
	return s[at[2*n]:at[2*n+1]]
}
