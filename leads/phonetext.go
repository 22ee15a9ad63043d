package leads

import (
	"regexp"
	"strings"
	"unicode"
)

// piece is the text between two separators, with the separator before it.
type piece struct {
	separator rune // ',' ';' '/', or '\n' for any other
	pause     bool // the separator is two commas or more: a telephone waits there before it dials on
	text      string
}

var (
	between = regexp.MustCompile(`(?i)[,;/|\\\n]+|\s(?:и|или|либо|або|and|or|oder|und|ou|y)\s`)
	german  = regexp.MustCompile(`(^|\D)(0\d{1,4})\s*/\s*(\d{3})`) // 030/90182000
	// context is what RFC 3966 has behind a local number: the digits of its area, which are no number.
	context = regexp.MustCompile(`(?i);phone-context=[^;,\s]*`)
	// feature is a code that a telephone dials before the number: *31# hides the caller.
	feature = regexp.MustCompile(`(?m)^\s*(?:[*#]{1,2}\d{2,3}[*#\s]\s*)(\+?[\d\s()-]{7,}#?)`)
)

// alone tells texts of digits and what people write between them, as most are: the patterns, which
// take most of the time, would find nothing in them.
func alone(value string) bool {
	return len(value) <= mostOfText && strings.Trim(strings.TrimPrefix(value, "+"), "0123456789 ().-") == ""
}

func pieces(value string) []piece {
	value = context.ReplaceAllString(plainText(value), "")
	value = feature.ReplaceAllString(value, "$1")
	value = strings.ReplaceAll(value, "+", "\n+") // a plus begins a number
	value = german.ReplaceAllString(value, "$1$2 $3")
	var cut []piece
	next, from := piece{separator: '\n'}, 0
	for _, at := range between.FindAllStringIndex(value, -1) {
		next.text = value[from:at[0]]
		cut = append(cut, next)
		separator := value[at[0]:at[1]]
		next, from = piece{separator: rune(separator[0]), pause: strings.HasPrefix(separator, ",,")}, at[1]
		if !strings.ContainsRune(",;/", next.separator) {
			next.separator = '\n'
		}
	}
	next.text = value[from:]
	return append(cut, next)
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
		case '！' <= r && r <= '～': // full width
			return r - '！' + '!'
		case r == '،', r == '、':
			return ','
		case r == '؛':
			return ';'
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
