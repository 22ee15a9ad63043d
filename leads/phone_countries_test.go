package leads_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"leadsync/leads"
)

// Each country's numbers, as people there and abroad write them. The numbers are invented.
func TestNumbersOfTwentyCountriesMatch(t *testing.T) {
	for region, sames := range map[string][][]string{
		"RU": {{"+79123456789", "8 912 345-67-89", "89123456789", "9123456789", "7 912 345 67 89", "8 (912) 345-67-89 доб. 5", "007 912 3456789", "011 7 912 345 67 89"}, {"8 (34365) 4-56-78", "+7 34365 45678"}},
		"KZ": {{"+77011234567", "8 701 123 45 67", "8~10 7 701 123 45 67", "7011234567"}, {"8 (7172) 12-34-56", "+7 7172 123456"}},
		"BY": {{"+375291234567", "8 029 123-45-67", "80291234567", "8~10 375 29 123-45-67", "375 29 1234567", "29 123 45 67"}, {"8 (017) 200-12-34", "+375 17 200 12 34"}},
		"UA": {{"+380501234567", "050 123 45 67", "0501234567", "380501234567", "00380501234567"}, {"(044) 234-56-78", "+380 44 234 56 78"}},
		"AZ": {{"+994501234567", "050 123 45 67", "0501234567", "994501234567", "00994 50 123 45 67", "8~10 994 50 123 45 67", "501234567"}, {"(012) 498 12 34", "+994 12 4981234"}},
		"AM": {{"+37477123456", "077 123456", "374 77 123456", "00374 77 123456"}, {"(010) 52-12-34", "+374 10 521234"}},
		"GE": {{"+995555123456", "555 12 34 56", "0 555 12 34 56", "995555123456"}, {"(032) 2 12 34 56", "+995 32 212 3456"}},
		"UZ": {{"+998901234567", "90 123 45 67", "998901234567", "8~10 998 90 123 45 67"}},
		"KG": {{"+996555123456", "0555 123456", "996 555 123 456"}},
		"TJ": {{"+992917123456", "917 12 3456", "992917123456"}},
		"MD": {{"+37362112345", "0621 12 345", "062112345", "373 62112345"}},
		"LT": {{"+37061234567", "8 612 34567", "0 612 34567", "370 612 34567"}},
		"DE": {{"+4915123456789", "0151 23456789", "0049 151 23456789", "4915123456789", "+49 (0) 151 23456789"}, {"030 / 90182000", "+49 30 90182000", "(030) 9018-2000"}},
		"GB": {{"+447400123456", "07400 123456", "0044 7400 123456", "+44 (0)7400 123456", "447400123456"}, {"020 7946 0958", "+44 20 7946 0958"}},
		"FR": {{"+33612345678", "06 12 34 56 78", "06.12.34.56.78", "0033 6 12 34 56 78", "33612345678"}},
		"IT": {{"+393123456789", "312 345 6789", "0039 312 3456789"}, {"06 1234 5678", "+39 06 12345678", "0039 0612345678"}},
		"PL": {{"+48512345678", "512 345 678", "0048 512 345 678", "48512345678"}},
		"TR": {{"+905012345678", "0501 234 56 78", "501 234 56 78", "905012345678"}},
		"US": {{"+12015550123", "(201) 555-0123", "1-201-555-0123", "201.555.0123 x42", "12015550123"}},
		"CN": {{"+8613123456789", "131 2345 6789", "0086 131 2345 6789", "8613123456789"}, {"010 1234 5678", "+86 10 12345678"}},
		"IN": {{"+918123456789", "081234 56789", "81234 56789", "0091 81234 56789"}},
		"JP": {{"+819012345678", "090-1234-5678", "010 81 90 1234 5678", "819012345678"}},
		"AU": {{"+61412345678", "0412 345 678", "0011 61 412 345 678", "61412345678"}},
		"BR": {{"+5511961234567", "(11) 96123-4567", "0 11 96123-4567", "0055 11 96123 4567"}},
		"HU": {{"+36201234567", "06 20 123 4567", "36201234567"}},
		"EG": {{"+201001234567", "0100 123 4567", "٠١٠٠ ١٢٣ ٤٥٦٧"}},
	} {
		for _, same := range sames {
			want, ok := leads.CallerDigits(same[0], region)
			for _, written := range same {
				if got, _ := leads.CallerDigits(written, region); got != want || !ok {
					t.Errorf("%s: %q has the key %s, %q %s", region, same[0], want, written, got)
				}
			}
		}
	}
	for region, several := range map[string]map[string]string{
		"AZ": {"050 123 45 67, 012 498 12 34": "+994501234567, +994124981234", "050 123 45 67 / 055 123 45 67 daxili 5": "+994501234567, +994551234567", "102": "102", "050 123 45 67/68": "+994501234567, +994501234568"},
		"DE": {"030 90182000; 0151 23456789": "+493090182000, +4915123456789", "030 / 90182000 #12": "+493090182000 ext 12", "110": "110"},
		"UA": {"(044) 234-56-78 доб. 101, 050 123 45 67": "+380442345678 ext 101, +380501234567"},
	} {
		for written, want := range several {
			if got := spell(leads.Phones(written, region)); got != want {
				t.Errorf("%s: %q is %s, want %s", region, written, got, want)
			}
		}
	}
	for name, region := range map[string]string{"044 234-56-78": "RU", "8 029 123-45-67": "RU", "8 912 345-67-89": "AZ"} { // written as in another country
		home := map[string]string{"044 234-56-78": "+380442345678", "8 029 123-45-67": "+375291234567", "8 912 345-67-89": "+79123456789"}[name]
		got, _ := leads.CallerDigits(name, region)
		if want, _ := leads.CallerDigits(home, region); got != want {
			t.Errorf("%q in %s has the key %s, %s has %s", name, region, got, home, want)
		}
	}
}

// A number of any country has one key, however it is written there.
func TestExampleNumbersOfAllRegionsMatch(t *testing.T) {
	kinds := []phonenumbers.PhoneNumberType{
		phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.TOLL_FREE, phonenumbers.PREMIUM_RATE, phonenumbers.SHARED_COST,
		phonenumbers.VOIP, phonenumbers.PERSONAL_NUMBER, phonenumbers.UAN,
	}
	checked, skipped := 0, 0
	for _, region := range slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())) {
		for _, kind := range kinds {
			number := phonenumbers.GetExampleNumberForType(region, kind)
			if number == nil || !phonenumbers.IsValidNumber(number) {
				continue
			}
			checked++
			plus := phonenumbers.Format(number, phonenumbers.E164)
			want, _ := leads.CallerDigits(plus, region)
			spellings := []string{
				phonenumbers.Format(number, phonenumbers.INTERNATIONAL), phonenumbers.Format(number, phonenumbers.NATIONAL),
				phonenumbers.GetNationalSignificantNumber(number), "00" + plus[1:], plus[1:],
			}
			for i, written := range spellings {
				again, err := phonenumbers.Parse(written, region)
				switch {
				case i == 1 && (err != nil || !phonenumbers.IsValidNumber(again)):
					skipped++ // the library does not read its own spelling
					continue
				case i == 4 && len(written) <= 10 && err == nil && phonenumbers.IsValidNumber(again) && again.GetNationalNumber() != number.GetNationalNumber():
					skipped++ // without its plus it is another number of the region
					continue
				}
				got := leads.Phones(written, region)
				if len(got) != 1 || got[0].Digits != want {
					t.Errorf("%s, %d: %q is %v, want the key %s of %s", region, i, written, got, want, plus)
				}
			}
		}
	}
	if checked < 500 || skipped > 100 {
		t.Errorf("only %d numbers, %d spellings were skipped", checked, skipped)
	}
}

// What is dialled behind a number, and what separates it from another, never gets into its
// key: in every region, and for numbers written without plus, too.
func TestWhatFollowsANumberStaysOutOfItsKey(t *testing.T) {
	behind := map[string]string{
		"*2#": "2", "*2": "2", "#12": "12", " #12": "12", "#12#": "12", ",,2": "2", ",2": "2", ",,2#": "2", ",,12345678901#": "", "p123": "123", "w123": "123",
		" pp12w3#": "12", " ext 12": "12", " ext. 12#": "12", ";ext=12": "12", "x12": "12", " xtn 12": "12", " доб. 12": "12", "доб12": "12", " (доб. 12*3)": "12",
		"\nдоб. 12": "12", " вн. 12": "12", "~12": "12", "*1*2#": "1", " anexo 12": "12",
	}
	separators := []string{", ", ";", " / ", "\n", " или ", " or ", " oder ", "\r\n", " | ", ",,"}
	checked, least := 0, 700
	for i, region := range slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())) {
		if testing.Short() {
			if least = 50; i%12 != 0 {
				continue
			}
		}
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			number := phonenumbers.GetExampleNumberForType(region, kind)
			if number == nil || !phonenumbers.IsValidNumber(number) {
				continue
			}
			plus, national := phonenumbers.Format(number, phonenumbers.INTERNATIONAL), phonenumbers.Format(number, phonenumbers.NATIONAL)
			for _, written := range []string{plus, national} {
				alone := leads.Phones(written, region)
				if len(alone) != 1 || alone[0].E164 == "" {
					continue // TestExampleNumbersOfAllRegionsMatch says why
				}
				checked++
				for tail, extension := range behind {
					want := leads.Phone{E164: alone[0].E164, Digits: alone[0].Digits, Extension: extension}
					if got := leads.Phones(written+tail, region); len(got) != 1 || got[0] != want {
						t.Errorf("%s: %q is %v, want %v", region, written+tail, got, want)
					}
				}
				for _, separator := range separators {
					got := leads.Phones(written+separator+"+1 201 555 0123", region)
					if len(got) != 2 || got[0] != alone[0] || got[1].E164 != "+12015550123" {
						t.Errorf("%s: %q and another by %q are %v", region, written, separator, got)
					}
				}
			}
		}
	}
	if checked < least {
		t.Errorf("only %d numbers", checked)
	}
}
