package console

import (
	"cmp"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"leadsync/handlers/language"
)

// phrase is a sentence, or the end of one, that another package makes of a format. What the format
// has values for stands in words and details as %[1]s and so on.
type phrase struct {
	format           string // theirs, as package fmt takes it
	english, russian saying // how the pages say it

	prefix  string // of the format, before its first value
	longest string // its longest part without a value: most texts lack it, and need no further look
	of      *regexp.Regexp
}

// saying is a sentence in words that a person needs, and details that a technician looks for.
type saying struct{ words, detail string }

// verb is where a format has a value.
var verb = regexp.MustCompile(`%[a-z]`)

// values are what verbs stand for; %v is a duration.
var values = map[string]string{"%d": `(-?\d+)`, "%s": `(.+?)`, "%v": `(\d[\d.a-zµ]*)`}

// sentences are those of other packages and endings how they go on, as their formats are there: one that has
// changed is shown in English, and TestEverySentenceOfOthersIsRetold fails. They are compiled for the first page that
// needs one: that takes 30 ms, and no command has to wait for it.
var (
	sentences = sync.OnceValue(func() []phrase { return compiled("sentence", "") })
	endings   = sync.OnceValue(func() []phrase { return compiled("ending", `(.+?)`) })
)

// compiled has the phrases of a context of the catalogue, with the expressions that find values again in what their
// formats have made. Before is the expression for what stands before them. What says more comes first, and what has a
// text as its end comes last: that text would have the other endings in it.
func compiled(context, before string) (list []phrase) {
	for _, format := range language.Formats(context) {
		p := phrase{format: format, english: sayingOf(language.English, context, format), russian: sayingOf(language.Russian, context, format)}
		parts := verb.Split(p.format, -1)
		p.prefix, p.longest = parts[0], slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
		var expression strings.Builder
		rest := p.format
		for at := verb.FindStringIndex(rest); at != nil; at = verb.FindStringIndex(rest) {
			expression.WriteString(regexp.QuoteMeta(rest[:at[0]]) + values[rest[at[0]:at[1]]])
			rest = rest[at[1]:]
		}
		p.of = regexp.MustCompile(`(?s)^` + before + expression.String() + regexp.QuoteMeta(rest) + `$`)
		list = append(list, p)
	}
	rank := func(p phrase) int {
		if before != "" && strings.HasSuffix(p.format, "%s") {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b phrase) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), len(verb.ReplaceAllString(b.format, ""))-len(verb.ReplaceAllString(a.format, "")))
	})
	return list
}

// sayingOf is what the catalogue has for a format, or the format itself.
func sayingOf(lang, context, format string) saying {
	words, detail, _ := strings.Cut(cmp.Or(language.Format(lang, context, format), numbered(format)), " | ")
	return saying{words, detail}
}

// mostParts is how many parts a sentence may have: one has another in it, and that another.
const mostParts = 8

// retold is a sentence of another package as the pages say it. What no phrase has is told as it is.
func retold(lang, text string) saying {
	s := asPhrased(lang, text)
	return saying{withheld(lang, s.words), withheld(lang, s.detail)}
}

// asPhrased is retold with what stands for secrets as other packages write it.
func asPhrased(lang, text string) saying {
	if s, ok := retell(lang, text, mostParts); ok {
		return s
	}
	// The examination puts the host before what it has found out about a portal.
	if host, found, ok := strings.Cut(text, ": "); ok && !strings.Contains(host, " ") {
		if s, ok := retell(lang, found, mostParts); ok {
			return saying{words: host + ": "}.with(s)
		}
	}
	return saying{words: text}
}

// redacted stands for a secret in texts of other packages.
const redacted = "[redacted]"

// withheld has the reader's word in place of a secret.
func withheld(lang, text string) string {
	return strings.ReplaceAll(text, redacted, language.Say(lang, redacted))
}

// retell is false where the text is none that phrases make. Behind the colon of one that they make
// there may be something that nobody translates, such as an error.
func retell(lang, text string, parts int) (saying, bool) {
	if s, ok := spoken(lang, text, parts); ok || parts <= 0 {
		return s, ok
	}
	at := -2
	for range mostParts {
		next := strings.Index(text[at+2:], ": ")
		if next < 0 {
			break
		}
		at += 2 + next
		if before, ok := spoken(lang, text[:at], parts-1); ok {
			return before.with(saying{words: ": " + valueIn(lang, text[at+2:], parts)}), true
		}
	}
	return saying{}, false
}

// spoken is retell of a text as a whole.
func spoken(lang, text string, parts int) (saying, bool) {
	if known := language.Has(lang, text) || language.Has(language.Russian, text); known || parts <= 0 {
		return saying{words: language.Say(lang, text)}, known
	}
	for _, p := range endings() {
		if !strings.Contains(text, p.longest) {
			continue
		}
		if found := p.of.FindStringSubmatch(text); found != nil {
			if before, ok := spoken(lang, found[1], parts-1); ok {
				return before.with(p.say(lang, found[2:], parts)), true
			}
		}
	}
	for _, p := range sentences() {
		if !strings.HasPrefix(text, p.prefix) || !strings.Contains(text, p.longest) {
			continue
		}
		if found := p.of.FindStringSubmatch(text); found != nil {
			return p.say(lang, found[1:], parts), true
		}
	}
	return saying{}, false
}

// with adds the end of a sentence.
func (s saying) with(end saying) saying {
	s.words += end.words
	if s.detail != "" && end.detail != "" {
		s.detail += ", "
	}
	s.detail += end.detail
	return s
}

// say fills the values in. Words have them in the reader's language, details as they are, but for the units of durations.
func (p *phrase) say(lang string, values []string, parts int) saying {
	as := p.english
	if lang == language.Russian {
		as = p.russian
	}
	inWords, raw := make([]any, len(values)), make([]any, len(values))
	for i, v := range values {
		inWords[i], raw[i] = valueIn(lang, v, parts), v
		if text, ok := durationIn(lang, v); ok && lang == language.Russian {
			raw[i] = text
		}
	}
	return saying{words: fill(as.words, inWords), detail: fill(as.detail, raw)}
}

// fill fills values in; a text may leave some out.
func fill(format string, values []any) string {
	if !strings.Contains(format, "%[") {
		return format
	}
	return fmt.Sprintf(format, values...)
}

// numbered is a format whose values are texts by their number.
func numbered(format string) string {
	n := 0
	return verb.ReplaceAllStringFunc(format, func(string) string {
		n++
		return fmt.Sprintf("%%[%d]s", n)
	})
}

// valueIn is a value in a language, where it is a sentence, a list of words that are known, or a
// duration.
func valueIn(lang, value string, parts int) string {
	if s, ok := retell(lang, value, parts-1); ok {
		return s.words
	}
	if text, ok := durationIn(lang, value); ok {
		return text
	}
	list := strings.Split(value, ", ")
	for i, one := range list {
		s, ok := spoken(lang, one, parts-1)
		if !ok {
			return value
		}
		list[i] = s.words
	}
	return strings.Join(list, ", ")
}

// durationIn is a duration as package time writes it, in a language; false where the value is none.
func durationIn(lang, value string) (string, bool) {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil || d <= 0 && value != "0s": // 0 alone is a number
		return "", false
	case d < time.Minute:
		return seconds(lang, d.Seconds()), true
	}
	return lasts(lang, d), true
}

// instant is a moment as other packages write it into sentences; with a zone's name behind it, the
// sentence is about that zone.
var instant = regexp.MustCompile(`(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)? ?(UTC|Z|[+-]\d\d:\d\d(?: \([A-Z])?)`)

// momentIn reads what instant has found; false where it is left as it is.
func momentIn(found []string) (time.Time, bool) {
	date, clock, second, zone := found[1], found[2], found[3], found[4]
	if second == "" {
		second = ":00"
	}
	if zone == "UTC" {
		zone = "Z"
	}
	at, err := time.Parse(time.RFC3339, date+"T"+clock+second+zone)
	return at, err == nil // a zone's name is an error
}

// withTimes is a text as HTML, with its moments in the reader's zone.
func withTimes(text string) template.HTML {
	var b strings.Builder
	for at := instant.FindStringIndex(text); at != nil; at = instant.FindStringIndex(text) {
		b.WriteString(template.HTMLEscapeString(text[:at[0]]))
		found := text[at[0]:at[1]]
		if moment, ok := momentIn(instant.FindStringSubmatch(found)); ok {
			b.WriteString(string(when(moment)))
		} else {
			b.WriteString(template.HTMLEscapeString(found))
		}
		text = text[at[1]:]
	}
	b.WriteString(template.HTMLEscapeString(text))
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// RetoldPlain is what another package says, in a language, for a terminal.
func RetoldPlain(lang, text string) string {
	s := retold(lang, text)
	if s.detail == "" {
		return s.words
	}
	return s.words + " (" + s.detail + ")"
}

// told is a sentence of another package in the reader's language, its details small beside it.
func told(lang, text string) template.HTML {
	s := retold(lang, text)
	if s.detail == "" {
		return withTimes(s.words)
	}
	return withTimes(s.words) + ` <small class="detail">` + withTimes(s.detail) + `</small>`
}
