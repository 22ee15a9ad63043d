package leads

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// CardRules is the version of the rules by which WithoutTokens cleans. Change it with them:
// mirrors then clean the stored cards again.
const CardRules = "2"

// WithoutTokens removes from every link in a JSON text what gives access to the portal: the
// parameters auth, token, sessid and their like, the signatures of a storage, and the secret of
// a webhook. Links to files contain such tokens, which differ at every read (docs/bitrix24.md
// 6.3). Apart from these
// links the text stays as it is. A text that is not JSON is cleaned as one string.
func WithoutTokens(text json.RawMessage) json.RawMessage {
	if len(signsIn(text)) > 0 && !json.Valid(text) {
		return json.RawMessage(withoutTokens(string(text)))
	}
	return validWithoutTokens(text)
}

// validWithoutTokens is WithoutTokens for valid JSON.
func validWithoutTokens(text json.RawMessage) json.RawMessage {
	found := signsIn(text)
	if len(found) == 0 {
		return text
	}
	var out []byte
	last := 0
	for i := bytes.IndexByte(text, '"'); i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		end := literalEnd(text, i)
		if clean, changed := cleanLiteral(text[i:end], found); changed {
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

// tokenSigns are what each link with a token has at least one of: a quick test, which most texts fail.
var tokenSigns = [][]byte{[]byte("="), []byte("%3"), []byte("%25"), []byte(`\u00`), []byte("rest"), []byte("REST")}

// signsIn are those that a text has.
func signsIn(text []byte) (found [][]byte) {
	for _, sign := range tokenSigns {
		if bytes.Contains(text, sign) {
			found = append(found, sign)
		}
	}
	return found
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

// cleanLiteral cleans one string of a text that has these signs.
func cleanLiteral(literal []byte, signs [][]byte) (clean []byte, changed bool) {
	if !slices.ContainsFunc(signs, func(sign []byte) bool { return bytes.Contains(literal, sign) }) {
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
	levels := parameters
	if signature.MatchString(s) {
		levels = signedParameters
	}
	for {
		before := s
		for _, p := range levels() {
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
type parameter struct {
	begins string         // the bytes with which a run can begin: regexps are slow, so they look nowhere else
	run    *regexp.Regexp // of secret parameters, with the separators around it
	entity *regexp.Regexp // what makes of a separator an entity of HTML, such as &quot;
}

// parameters are the levels: plain, encoded, and encoded twice. Compiling these
// and the signed ones takes 25 ms, and most commands never need them.
var parameters = sync.OnceValue(func() [3]parameter { return newParameters(secretName) })

// signedParameters are those of texts with a signature of a storage. Without one, these names
// may mean anything.
var (
	signedParameters = sync.OnceValue(func() [3]parameter {
		return newParameters(`(?:` + secretName + `|` + spelled("expires") + `|` + spelled("policy") + `)`)
	})
	signature = regexp.MustCompile(`(?i)(?:signature|accesskeyid|googleaccessid|key-pair-id)(?:=|\\+u003d|%(?:25)*3D)`)
)

// The parts of a name, whose characters may all be percent-encoded (RFC 3986, 2.3).
const (
	nameByte  = `(?:[\w.-]|%(?:25)*(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9A]))`
	nameBreak = `(?:[_.-]|%(?:25)*(?:5F|2E|2D))`
	opening   = `(?:\[|%(?:25)*5B)`
	closing   = `(?:\]|%(?:25)*5D)`
)

// secretName matches the names of parameters that give access. PHP's names may have
// brackets: auth[access_token].
var secretName = `(?:` + nameByte + `+` + opening + `)*` +
	`(?:` + nameByte + `*` + spelled("token", "sessid", "secret", "signature") +
	`|` + spelled("auth") + `(?:` + spelled("orization") + `|` + nameBreak + `?` + spelled("id", "key", "code", "hash") + `)?` +
	`|` + spelled("refresh") + nameBreak + `?` + spelled("id") +
	`|(?:` + spelled("app") + nameBreak + `?)?` + spelled("sid") +
	`|` + spelled("sign", "sig", "awsaccesskeyid", "googleaccessid") +
	`|` + spelled("x") + nameBreak + spelled("amz", "goog") + nameBreak + spelled("algorithm", "credential", "date", "expires", "signedheaders") +
	`|` + spelled("temp") + nameBreak + spelled("url") + nameBreak + spelled("sig", "expires") +
	`|` + spelled("key") + nameBreak + spelled("pair") + nameBreak + spelled("id") + `)` +
	`(?:` + opening + nameByte + `*` + closing + `|` + closing + `)*`

// spelled matches these words with any of their letters percent-encoded.
func spelled(words ...string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, c := range []byte(word) {
			fmt.Fprintf(&b, "(?:%c|%%(?:25)*(?:%X|%X))", c, c, c-'a'+'A')
		}
	}
	return "(?:" + b.String() + ")"
}

func newParameters(name string) [3]parameter {
	return [3]parameter{newParameter(name, 0), newParameter(name, 1), newParameter(name, 2)}
}

func newParameter(name string, level int) parameter {
	const plainValue = `[^%&;#\s"'<>\\\[\]]`
	first, and, equals := `(?:[?#]|\\+u003f|\\+u0023)`, `(?:&#0*38;|&#x0*26;|(?:&|\\+u0026)(?:amp;)*|;)`, `(?:=|\\+u003d)`
	value := `(?:` + plainValue + `|%|\\+/|\\+u00(?:25|2b|2f|3d|7c))*`
	begins, hash, end := `?#&;\`, `#`, `;`
	if level > 0 {
		percent := "%" + strings.Repeat("25", level-1)
		// What ends a value is not part of it: & # ; blank " ' < >, encoded.
		const octets = `(?:[014-9a-f][0-9a-f]|2[1489a-f]|3[0-9adf])`
		begins, hash, end = `%`, percent+`23`, percent+`3B`
		first, and, equals = percent+`(?:3F|23)`, `(?:`+percent+`26(?:amp`+end+`)*|`+end+`)`, percent+`3D`
		value = `(?:` + plainValue + `|` + percent + `(?:25|` + octets + `)|%` + octets + `)*`
	}
	one := name + equals + value
	return parameter{
		begins: begins,
		run:    regexp.MustCompile(`(?i)^(?:(` + first + `)|(` + and + `))` + one + `(?:` + and + one + `)*(` + and + `)?`),
		entity: regexp.MustCompile(`(?i)^(?:quot|apos|lt|gt|nbsp|` + hash + `(?:0*(?:3[49]|6[02])|x0*(?:2[27]|3[ce])))` + end),
	}
}

// cut removes the runs. Of the separators around a run, one stays if a parameter follows.
func (p parameter) cut(s string) string {
	var b strings.Builder
	last := 0
	for i := 0; ; {
		skip := strings.IndexAny(s[i:], p.begins)
		if skip < 0 {
			break
		}
		i += skip
		found := p.run.FindStringSubmatch(s[i:])
		if found == nil {
			i++
			continue
		}
		first, after, end := found[1], found[3], i+len(found[0])
		if p.entity.MatchString(s[end:]) { // not a separator, but an entity behind the link
			end -= len(after)
			after = ""
		}
		b.WriteString(s[last:i])
		switch {
		case after == "":
		case first != "":
			b.WriteString(first)
		default:
			b.WriteString(after)
		}
		i, last = end, end
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}
