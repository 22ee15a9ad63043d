package leads

import (
	"regexp"
	"slices"
	"strings"
)

// list collects the numbers of one value.
type list struct {
	region string
	found  []Phone
}

// Extensions follow a word such as "ext", or a sign behind the number: #, *, x, and the p and w
// that telephones write for a pause.
var (
	byWord = regexp.MustCompile(`(?i)(^|[^\pL])(?:доб(?:ав\pL*)?|вн(?:утр\pL*)?|e?xtn?|extension|anexo)[\s.:№#=(-]*(\d+)\s*\)?`)
	bySign = regexp.MustCompile(`(?i)([\d)])\s*[xх#*~дpрw]{1,3}\.?\s*(\d+)(?:[\s#*~pрw]*[#*~pрw]\d*)*\s*\)?\s*(?:$|\pL)`)
	// byDialling is what a telephone dials after a pause: a menu's choice, a conference's number.
	byDialling = regexp.MustCompile(`^[\s*#]*([\d\s-]*\d)\s*#[\s#*]*$`)
)

const longestExtension = 8 // digits

func (l *list) take(p piece) {
	if l.dialled(p) {
		return
	}
	for _, pattern := range []*regexp.Regexp{byWord, bySign} {
		at := pattern.FindStringSubmatchIndex(p.text)
		if at == nil || at[5]-at[4] > longestExtension || pattern == bySign && !l.ends(p.text[:at[3]], p.text) {
			continue
		}
		before, extension, rest := p.text[:at[3]], p.text[at[4]:at[5]], p.text[at[1]:]
		l.number(piece{separator: p.separator, text: before}, extension)
		l.take(piece{separator: '\n', text: rest})
		return
	}
	l.number(p, "")
}

// ends tells whether a number ends before a sign. A sign can also stand for a hyphen:
// 8 343 345*67*89.
func (l *list) ends(before, whole string) bool {
	n := len(digitsOf(before))
	switch longer, _ := l.first(whole); {
	case l.valid(before):
		return true
	case n < local: // an internal number
		return n >= fewest && len(digitsOf(whole)) < local && !words.MatchString(before)
	default:
		return longer == "" && !l.valid(whole)
	}
}

func (l *list) valid(text string) bool {
	return read(digitsOf(text), strings.Contains(text, "+"), l.region).E164 != ""
}

// dialled handles digits that are dialled after the number before them, and reports whether
// they were such digits. Codes that are too long for an extension are ignored: they are not numbers.
func (l *list) dialled(p piece) bool {
	if p.separator != ',' && p.separator != ';' || len(l.found) == 0 || !l.found[len(l.found)-1].external() {
		return false
	}
	code := byDialling.FindStringSubmatch(p.text)
	if code == nil && p.pause && l.found[len(l.found)-1].E164 != "" && strings.Trim(p.text, "0123456789 -") == "" {
		code = []string{"", p.text}
	}
	if code == nil || l.valid(code[1]) && (!p.pause || !strings.Contains(p.text, "#")) {
		return false
	}
	if digits := digitsOf(code[1]); len(digits) <= longestExtension {
		l.extend(digits)
	}
	return true
}

var (
	// words also separate numbers: 8 912 345-67-89 Ivan 8 912 345-67-80 Peter.
	words = regexp.MustCompile(`\pL+`)
	// typos are letters amid digits: somebody typed O for 0.
	typos = regexp.MustCompile(`\d\pL{1,2}(?:\d+\pL{1,2})*\d`)
)

// number adds the numbers of a piece without its extension. Short digits next to words are a
// room, a house or an hour, so they are ignored.
func (l *list) number(p piece, extension string) {
	text := l.withZeros(withoutAddress(p.text))
	if phone, ok := vanity(text, l.region); ok {
		l.push(phone)
		l.extend(extension)
		return
	}
	groups, lettered := l.groups(text)
	switch {
	case len(groups) == 0:
		l.extend(extension)
		return
	case extension == "" && !lettered && l.continues(p.separator, groups[0]):
		return
	}
	for _, group := range groups {
		l.sequence(group)
	}
	l.extend(extension)
}

// withZeros replaces the letter O by 0 where that makes a valid number of a text without
// other letters.
func (l *list) withZeros(text string) string {
	zeros := strings.Map(func(r rune) rune {
		if strings.ContainsRune("oOоО", r) {
			return '0'
		}
		return r
	}, text)
	if zeros == text || words.MatchString(zeros) || l.valid(text) || !l.valid(zeros) {
		return text
	}
	return zeros
}

// groups are the parts of a text between words that may be numbers, and whether there are
// words. Of a number with a letter in it only parts that are numbers by themselves remain.
func (l *list) groups(text string) (groups []string, lettered bool) {
	separators, typing := words.FindAllStringIndex(text, -1), typos.FindAllStringIndex(text, -1)
	lettered = len(separators) > 0
	from, broken := 0, false // whether the word before the group interrupts a number
	for _, at := range append(separators, []int{len(text), len(text)}) {
		group := text[from:at[0]]
		interrupts := slices.ContainsFunc(typing, func(typo []int) bool { return typo[0] < at[0] && at[1] < typo[1] })
		n := len(digitsOf(group))
		if n > 0 && (!lettered || n >= local) && (!broken && !interrupts || l.valid(group)) {
			groups = append(groups, group)
		}
		from, broken = at[1], interrupts
	}
	return groups, lettered
}

// extend adds an extension to the number before it; if there is no such number, the
// extension is an internal number.
func (l *list) extend(extension string) {
	switch n := len(l.found); {
	case extension == "":
	case n == 0:
		l.add(extension)
	case l.found[n-1].Extension == "":
		l.found[n-1].Extension = extension
	default:
		again := l.found[n-1]
		again.Extension = extension
		l.push(again)
	}
}

// continues handles text that belongs to the number before it, and reports whether it was
// such text. 345-67-89/90 means two numbers, the second given by its last digits; a few
// digits behind a comma are dialled after a pause, so they are an extension.
func (l *list) continues(separator rune, text string) bool {
	digits := digitsOf(text)
	if separator == '\n' || len(l.found) == 0 || len(digits) >= local {
		return false
	}
	before := l.found[len(l.found)-1]
	switch {
	case !before.external():
		return false
	case separator == '/' && len(digits) <= 2:
		other := Phone{Digits: before.Digits[:len(before.Digits)-len(digits)] + digits}
		if before.E164 != "" {
			other = read(digitsOf(before.E164[:len(before.E164)-len(digits)]+digits), true, l.region)
		}
		l.push(other)
	default:
		l.extend(digits)
	}
	return true
}

// sequence splits digits at blanks where they are too many for one number.
func (l *list) sequence(text string) {
	fields := strings.Fields(text)
	short := slices.ContainsFunc(fields, func(field string) bool {
		n := len(digitsOf(field))
		return n > 0 && n < local
	})
	if short || len(digitsOf(text)) <= longest {
		l.add(text)
		return
	}
	for _, field := range fields {
		l.add(field)
	}
}

func (l *list) add(text string) {
	digits, plus := digitsOf(text), strings.Contains(text, "+")
	if len(digits) < fewest {
		return
	}
	phone := read(digits, plus, l.region)
	if phone.E164 != "" || !l.split(text) {
		l.push(phone)
	}
}

// gaps are what may separate a number from the next, or from its extension, without a word.
var gaps = regexp.MustCompile(`\d[^\d\pL]+`)

// first cuts the longest valid number off the beginning of digits that are none together;
// empty where there is none.
func (l *list) first(text string) (number, rest string) {
	for _, at := range slices.Backward(gaps.FindAllStringIndex(text, mostGaps)) {
		if before := text[:at[0]+1]; at[1] < len(text) && l.valid(before) {
			return before, text[at[1]:]
		}
	}
	return "", ""
}

// split adds that number, then the rest, and reports whether there was one.
func (l *list) split(text string) bool {
	number, rest := l.first(text)
	if number == "" {
		return false
	}
	l.add(number)
	digits := digitsOf(rest)
	code := strings.ContainsAny(text[len(number):len(text)-len(rest)], "#*") && !l.valid(rest)
	switch {
	case len(digits) < local, code && len(digits) <= longestExtension:
		l.extend(digits)
	case !code:
		l.add(rest)
	}
	return true
}

// mostGaps bounds the work on one number: none is written with more gaps.
const mostGaps = 15

// push ignores numbers of zeros only: people type them where a form requires a number.
func (l *list) push(p Phone) {
	if len(l.found) < mostOfOne && strings.Trim(p.Digits, "0") != "" {
		l.found = append(l.found, p)
	}
}
