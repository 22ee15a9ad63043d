package leads

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Phone is one telephone number out of what people write into a field.
type Phone struct {
	E164 string // such as +79123456789; "" where the number is valid nowhere
	// Digits are the last ten, or all where there are fewer: what a caller is found by.
	// They do not depend on any region.
	Digits    string
	Extension string // digits to be dialled afterwards; "" none
}

// PhoneKey is a number of a lead, with what ranks it among the leads that have the same.
type PhoneKey struct {
	Phone
	Position  int    // among the lead's numbers, from 1
	ContactID string // of the multifield's value that it stands in, as the mirror's column holds it
	// Repeated says that an earlier number of the same lead has the same Digits.
	Repeated  bool
	Closed    bool      // the lead is
	CreatedAt time.Time // the lead was; zero unknown
}

// PhoneRules names the rules below. Change it with them: what mirrors keep of numbers is
// then made anew.
const PhoneRules = "1"

const (
	keyDigits  = 10
	fewest     = 3  // digits: fewer are nobody's number, not even an internal one
	local      = 7  // digits: fewer are an internal number, not one of a town
	longest    = 15 // digits: more is no one number (ITU-T E.164)
	mostOfOne  = 20 // numbers of one value: more is no list of numbers
	mostOfText = 1000
)

// ValidPhoneRegion tells whether s is a country that numbers can be read for: two capital
// letters, ISO 3166-1.
func ValidPhoneRegion(s string) bool { return phonenumbers.GetSupportedRegions()[s] }

// Phones are the numbers in the lead's phones, in their order. The region is the country
// that numbers without a country code are of.
func (l *Lead) Phones(region string) []PhoneKey {
	var keys []PhoneKey
	seen := map[string]bool{}
	for _, c := range l.Contacts {
		if c.TypeID != "PHONE" {
			continue
		}
		for _, p := range Phones(c.Value, region) {
			keys = append(keys, PhoneKey{
				Phone: p, Position: len(keys) + 1, ContactID: contactColumn.Column(c.ID), Repeated: seen[p.Digits],
				Closed: l.Closed(), CreatedAt: Instant(l.Value("DATE_CREATE")),
			})
			seen[p.Digits] = true
		}
	}
	return keys
}

// CallerDigits are the Digits of the first number in what a telephone system or a person
// says of a caller; false where there is none.
func CallerDigits(value string) (string, bool) {
	found := Phones(value, "")
	if len(found) == 0 {
		return "", false
	}
	return found[0].Digits, true
}

// Phones finds the numbers in a value as people write it: with brackets, blanks and
// dashes, with 8 or +7 before it, with an extension behind it, several in one.
func Phones(value, region string) []Phone {
	l := list{region: region}
	for _, piece := range pieces(value) {
		l.take(piece)
	}
	return l.found
}

// piece is what stands between two separators, and the one before it.
type piece struct {
	separator rune // ',' ';' '/' or '\n' for any other
	text      string
}

var (
	between = regexp.MustCompile(`(?i)[,;/|\\\n]+|\s(?:и|или|либо|and|or)\s`)
	german  = regexp.MustCompile(`(^|\D)(0\d{1,4})\s*/\s*(\d{3})`) // 030/90182000
)

func pieces(value string) []piece {
	value = strings.ReplaceAll(plainText(value), "+", "\n+") // a plus begins a number
	value = german.ReplaceAllString(value, "$1$2 $3")
	cut := []piece{}
	separator, from := '\n', 0
	for _, at := range between.FindAllStringIndex(value, -1) {
		cut = append(cut, piece{separator, value[from:at[0]]})
		if separator, from = rune(value[at[0]]), at[1]; !strings.ContainsRune(",;/", separator) {
			separator = '\n'
		}
	}
	return append(cut, piece{separator, value[from:]})
}

// plainText has only one kind of blank and of line break, and nothing invisible; of
// over-long text only the beginning is looked at.
func plainText(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		n++
		switch {
		case n > mostOfText, unicode.Is(unicode.Cf, r):
			return -1
		case r == '\r', r == '\n', r == '\u2028':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		default:
			return r
		}
	}, s)
}

// list collects the numbers of one value.
type list struct {
	region string
	found  []Phone
}

// Extensions: announced by a word, or by a sign behind the number.
var (
	byWord = regexp.MustCompile(`(?i)(^|[^\pL])(?:доб(?:ав\pL*)?|вн(?:утр\pL*)?|ext(?:n|ension)?)[\s.:№#=(-]*(\d+)\s*\)?`)
	bySign = regexp.MustCompile(`(?i)([\d)])\s*[xх#*д]\.?\s*(\d+)\s*\)?\s*$`)
)

func (l *list) take(p piece) {
	for _, pattern := range []*regexp.Regexp{byWord, bySign} {
		at := pattern.FindStringSubmatchIndex(p.text)
		if at == nil || at[5]-at[4] > 8 {
			continue
		}
		before, extension, rest := p.text[:at[3]], p.text[at[4]:at[5]], p.text[at[1]:]
		l.number(piece{p.separator, before}, extension)
		l.take(piece{'\n', rest})
		return
	}
	l.number(p, "")
}

// words separate numbers too: 8 912 345-67-89 Ivan 8 912 345-67-80 Peter.
var words = regexp.MustCompile(`\pL+`)

// number adds what a piece holds, without its extension. Beside words, what is short is a
// room, a house or an hour.
func (l *list) number(p piece, extension string) {
	groups := words.Split(withoutAddress(p.text), -1)
	lettered := len(groups) > 1
	groups = slices.DeleteFunc(groups, func(group string) bool {
		n := len(digitsOf(group))
		return n == 0 || lettered && n < local
	})
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

// extend gives an extension to the number before it; without one it is an internal number.
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

// continues tells what belongs to the number before it: 345-67-89/90 is two numbers of
// which the second is told by its end, and what is short behind a comma is dialled after
// a pause.
func (l *list) continues(separator rune, text string) bool {
	digits := digitsOf(text)
	if separator == '\n' || len(l.found) == 0 || len(digits) >= local {
		return false
	}
	before := l.found[len(l.found)-1]
	switch {
	case len(before.Digits) < local:
		return false
	case separator == '/' && len(digits) <= 2:
		other := Phone{Digits: before.Digits[:len(before.Digits)-len(digits)] + digits}
		if before.E164 != "" {
			other.E164 = e164(digitsOf(before.E164[:len(before.E164)-len(digits)]+digits), true, l.region)
		}
		l.push(other)
	default:
		l.extend(digits)
	}
	return true
}

// sequence adds numbers that only blanks separate, where they are too long to be one.
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
	digits := digitsOf(text)
	if len(digits) < fewest {
		return
	}
	l.push(Phone{E164: e164(digits, strings.Contains(text, "+"), l.region), Digits: digits[max(0, len(digits)-keyDigits):]})
}

// push leaves noughts out: they stand where a form wanted a number.
func (l *list) push(p Phone) {
	if len(l.found) < mostOfOne && strings.Trim(p.Digits, "0") != "" {
		l.found = append(l.found, p)
	}
}

// withoutAddress keeps the number of a SIP address, and nothing of one of e-mail.
func withoutAddress(text string) string {
	user, _, ok := strings.Cut(text, "@")
	if !ok {
		return text
	}
	user = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(user)), "sip:")
	if strings.Trim(user, "+0123456789") != "" {
		return ""
	}
	return user
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// e164 spells a number internationally, where it is valid so: as it was dialled, or, where
// the plus or the country's exit code is missing or wrong, as it was meant.
func e164(digits string, plus bool, region string) string {
	var spellings []string
	switch {
	case len(digits) > longest:
	case plus && strings.HasPrefix(digits, "8"): // +8 912 … is a Russian's 8 912 …
		spellings = []string{"+" + digits, digits}
	case plus:
		spellings = []string{"+" + digits}
	case strings.HasPrefix(digits, "00"):
		spellings = []string{"+" + digits[2:], digits}
	case len(digits) > keyDigits:
		spellings = []string{digits, "+" + digits}
	default:
		spellings = []string{digits}
	}
	for _, spelling := range spellings {
		number, err := phonenumbers.Parse(spelling, region)
		if err == nil && phonenumbers.IsValidNumber(number) {
			return phonenumbers.Format(number, phonenumbers.E164)
		}
	}
	return ""
}
