package leads

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// A vanity number has letters for its last digits, as on the keys of a telephone:
// 1-800-FLOWERS.
var (
	vanityText    = regexp.MustCompile(`^[+(]?\d[\d\s().-]*[A-Za-z][\dA-Za-z\s().-]*$`)
	vanityBlank   = regexp.MustCompile(`\d\)?\s+[A-Za-z]|[A-Za-z]\s+[(\d]`)
	vanityLetters = regexp.MustCompile(`[A-Za-z]`)
)

const (
	fewestLetters = 3 // libphonenumber takes fewer for garbage
	surplus       = 5 // letters more than the number needs: 1-800-MATTRESS has one
)

// vanity reads a vanity number; false where the letters are words. Nobody else may be called
// by a name that follows a few digits, so the number must be valid and the letters must look
// like digits: capitals, joined to them. Free and shared-cost numbers need only one of the two.
func vanity(text, region string) (Phone, bool) {
	text = strings.TrimSpace(text)
	letters := len(vanityLetters.FindAllString(text, -1))
	own := digitsOf(text)
	if letters < fewestLetters || len(own) < fewest || len(own) >= keyDigits || !vanityText.MatchString(text) {
		return Phone{}, false
	}
	capital, joined, plus := text == strings.ToUpper(text), !vanityBlank.MatchString(text), text[0] == '+'
	if !capital && !joined || read(own, plus, region).E164 != "" {
		return Phone{}, false
	}
	digits := digitsOf(phonenumbers.ConvertAlphaCharactersInNumber(text))
	trailing := len(text) - len(strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
	for cut := range min(surplus, trailing) {
		phone := read(digits[:len(digits)-cut], plus, region)
		if phone.E164 == "" {
			continue
		}
		home := plus || strings.HasPrefix(phone.E164, "+"+strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region)))
		return phone, free(phone) || cut == 0 && capital && joined && home
	}
	return Phone{}, false
}

// free tells whether a number is of a kind that is written with letters.
func free(p Phone) bool {
	number, err := phonenumbers.Parse(p.E164, "")
	if err != nil {
		return false
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.TOLL_FREE, phonenumbers.SHARED_COST, phonenumbers.PREMIUM_RATE, phonenumbers.UAN:
		return true
	default:
		return false
	}
}
