package leads

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Phone is one telephone number found in a text that people typed.
type Phone struct {
	E164 string // such as +79123456789; "" where the number is not valid
	// Digits are the key of lookups: the number as its own country dials it, without trunk
	// prefix and leading zeros (libphonenumber's national significant number). Where the
	// number is not valid they are its last ten digits.
	Digits    string
	Extension string // digits to dial afterwards; "" where there are none
}

// PhoneKey is a number of a lead, with the data that ranks leads with the same number. It is
// a row of leadsync_phones.
type PhoneKey struct {
	Phone
	Position  int    // among the lead's numbers, from 1
	ContactID string // id of the multifield's value that contains it, cut to its column
	// Repeated says that an earlier number of the same lead has the same Digits.
	Repeated  bool
	Closed    bool      // the lead is closed
	CreatedAt time.Time // when the lead was created; zero where unknown
}

// PhoneRules is the version of the rules below. Change it with them: mirrors then extract
// all numbers again.
const PhoneRules = "2"

const (
	keyDigits  = 10
	fewest     = 3    // digits: fewer are not a number, not even an internal one
	local      = 7    // digits: fewer are an internal number
	longest    = 15   // digits: more are not one number (ITU-T E.164)
	mostOfOne  = 20   // numbers of one value: the rest is ignored
	mostOfText = 1000 // characters of one value: the rest is ignored
)

// ValidPhoneRegion reports whether s is a country with known number formats: two capital
// letters, ISO 3166-1.
func ValidPhoneRegion(s string) bool { return phonenumbers.GetSupportedRegions()[s] }

// Phones returns the numbers in the lead's phone fields, in their order. region is the
// country of numbers without a country code, ISO 3166-1.
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

// CallerDigits returns the Digits of the first number in the text that a telephone system or
// a person gives for a caller; false where it contains no number. region is the country of
// numbers without a country code; whether there is a number does not depend on it.
func CallerDigits(value, region string) (string, bool) {
	found := Phones(value, region)
	if len(found) == 0 {
		return "", false
	}
	return found[0].Digits, true
}

// Phones finds the numbers in a text as people write them: with brackets, blanks and dashes,
// with 8 or +7 in front, with an extension behind, several in one text. region is the
// country of numbers without a country code, ISO 3166-1; with "" only numbers with a country
// code get an E164, and only their Digits come from it.
func Phones(value, region string) []Phone {
	l := list{region: region}
	for _, piece := range pieces(value) {
		l.take(piece)
	}
	return l.found
}

// piece is the text between two separators, with the separator before it.
type piece struct {
	separator rune // ',' ';' '/', or '\n' for any other
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

// plainText replaces blanks and line breaks by one kind each, removes invisible characters
// and cuts the text to mostOfText characters.
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
		case r > unicode.MaxASCII && unicode.Is(unicode.Nd, r):
			return digit(r)
		default:
			return r
		}
	}, s)
}

// digit returns the ASCII digit for a digit of another script. Unicode has the ten digits of
// a script one after the other, 0 first.
func digit(r rune) rune {
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return '0' + (r-rune(run.Lo))%10
		}
	}
	for _, run := range unicode.Nd.R32 {
		if first, last := rune(run.Lo), rune(run.Hi); first <= r && r <= last { //nolint:gosec // they are runes
			return '0' + (r-first)%10
		}
	}
	return r
}

// list collects the numbers of one value.
type list struct {
	region string
	found  []Phone
}

// Extensions follow a word such as "ext", or a sign behind the number.
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

// words also separate numbers: 8 912 345-67-89 Ivan 8 912 345-67-80 Peter.
var words = regexp.MustCompile(`\pL+`)

// number adds the numbers of a piece without its extension. Short digits next to words are a
// room, a house or an hour, so they are ignored.
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
	case len(before.Digits) < local:
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
	digits := digitsOf(text)
	if len(digits) < fewest {
		return
	}
	l.push(read(digits, strings.Contains(text, "+"), l.region))
}

// push ignores numbers of zeros only: people type them where a form requires a number.
func (l *list) push(p Phone) {
	if len(l.found) < mostOfOne && strings.Trim(p.Digits, "0") != "" {
		l.found = append(l.found, p)
	}
}

// withoutAddress returns the number of a SIP address, and nothing of an e-mail address.
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

// read reads one number. It is the first spelling that is valid; otherwise one with a country
// code whose length is right, so that numbers of ranges that are too new match, too.
func read(digits string, plus bool, region string) Phone {
	key := withoutZeros(digits[max(0, len(digits)-keyDigits):])
	for _, spelling := range spellings(digits, plus, region) {
		number, err := phonenumbers.Parse(spelling, region)
		if err != nil {
			continue
		}
		national := withoutZeros(phonenumbers.GetNationalSignificantNumber(number))
		if phonenumbers.IsValidNumber(number) {
			return Phone{E164: phonenumbers.Format(number, phonenumbers.E164), Digits: national}
		}
		if plus && spelling[0] == '+' && len(national) >= local && phonenumbers.IsPossibleNumber(number) {
			key = national
		}
	}
	return Phone{Digits: key}
}

// spellings are the ways to read a number, the likeliest first: as written, and then, where
// the plus or the exit code may be missing or another country's, with it corrected.
func spellings(digits string, plus bool, region string) []string {
	international := "+" + digits
	switch {
	case len(digits) > longest+len("0011"):
		return nil
	case plus && strings.HasPrefix(digits, "8"): // in Russia, +8 912 … means 8 912 …
		return []string{international, digits}
	case plus:
		return []string{international}
	case strings.HasPrefix(digits, "00"):
		return []string{"+" + digits[2:], digits, "+" + strings.TrimPrefix(digits, "0011")}
	case len(digits) > keyDigits && strings.HasPrefix(digits, "011"):
		return []string{digits, "+" + digits[3:], international}
	case len(digits) > keyDigits && strings.HasPrefix(digits, "810"):
		return []string{digits, "+" + digits[3:], international}
	case len(digits) > keyDigits && strings.HasPrefix(digits, strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))):
		return []string{international, digits} // telephone systems often leave out the plus
	case len(digits) >= keyDigits:
		return []string{digits, international}
	default:
		return []string{digits}
	}
}

// withoutZeros removes the zeros at the beginning: mostly the trunk prefix, in Italy a part
// of the number. Short numbers keep them.
func withoutZeros(digits string) string {
	if rest := strings.TrimLeft(digits, "0"); len(rest) >= local {
		return rest
	}
	return digits
}
