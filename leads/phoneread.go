package leads

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

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
		e164 := phonenumbers.Format(number, phonenumbers.E164)
		if len(e164) > len("+")+longest { // libphonenumber takes it for a German one, and no network carries it
			continue
		}
		national := withoutZeros(phonenumbers.GetNationalSignificantNumber(number))
		if phonenumbers.IsValidNumber(number) {
			return Phone{E164: e164, Digits: national}
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
