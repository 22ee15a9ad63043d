package leads

import (
	"time"

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

// external tells whether it is more than an internal number.
func (p Phone) external() bool { return p.E164 != "" || len(p.Digits) >= local }

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
const PhoneRules = "3"

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
// numbers without a country code.
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
	if alone(value) {
		l.sequence(value)
		return l.found
	}
	for _, piece := range pieces(value) {
		l.take(piece)
	}
	return l.found
}
