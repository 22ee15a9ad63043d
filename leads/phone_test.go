package leads_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

// spell writes numbers as the tests do: E.164 or the last digits, then the extension.
func spell(phones []leads.Phone) string {
	var all []string
	for _, p := range phones {
		text := p.E164
		if text == "" {
			text = p.Digits
		} else if !strings.HasSuffix(text, p.Digits) {
			text += " but " + p.Digits
		}
		if p.Extension != "" {
			text += " ext " + p.Extension
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// The numbers are invented; the formats are those of real cards.
func TestPhonesAsPeopleWriteThem(t *testing.T) {
	tests := []struct{ name, region, value, want string }{
		{"international", "RU", "+79123456789", "+79123456789"},
		{"with blanks", "RU", "+7 912 345 67 89", "+79123456789"},
		{"with brackets and dashes", "RU", "+7 (912) 345-67-89", "+79123456789"},
		{"brackets without blanks", "RU", "+7(912)345-67-89", "+79123456789"},
		{"with dots", "RU", "+7.912.345.67.89", "+79123456789"},
		{"domestic 8", "RU", "89123456789", "+79123456789"},
		{"domestic 8 with blanks", "RU", "8 (912) 345-67-89", "+79123456789"},
		{"domestic 8 with dashes", "RU", "8-912-345-67-89", "+79123456789"},
		{"7 without plus", "RU", "79123456789", "+79123456789"},
		{"7 without plus, with blanks", "RU", "7 912 345-67-89", "+79123456789"},
		{"ten digits", "RU", "9123456789", "+79123456789"},
		{"ten digits with brackets", "RU", "(912) 345-67-89", "+79123456789"},
		{"plus before the domestic 8", "RU", "+8 (912) 345-67-89", "+79123456789"},
		{"country code in brackets", "RU", "(+7) 912 345-67-89", "+79123456789"},
		{"a blank after the plus", "RU", "+ 7 912 345-67-89", "+79123456789"},
		{"a town with five digits", "RU", "8 (34365) 4-56-78", "+73436545678"},
		{"Moscow", "RU", "8 (495) 123-45-67", "+74951234567"},
		{"free of charge", "RU", "8-800-555-35-35", "+78005553535"},
		{"local, seven digits", "RU", "345-67-89", "3456789"},
		{"local, six digits", "RU", "45-67-89", "456789"},
		{"no-break spaces", "RU", "+7\u00a0912\u00a0345\u00a067\u00a089", "+79123456789"},
		{"long dashes", "RU", "8–912—345‑67−89", "+79123456789"},
		{"invisible marks", "RU", "\u202a+7 912 345-67-89\u202c\ufeff", "+79123456789"},
		{"blanks around", "RU", "   89123456789\t", "+79123456789"},
		{"an area code that does not exist", "RU", "+7 (123) 345-67-89", "1233456789"},
		{"an exit code", "RU", "8 10 49 30 901820", "+4930901820"},
		{"00 instead of plus", "RU", "0049 30 901820", "+4930901820"},

		{"the document's example", "RU", "+7 (123) 345-67-89 (доб. 123)", "1233456789 ext 123"},
		{"доб.", "RU", "8 (343) 345-67-89 доб. 123", "+73433456789 ext 123"},
		{"доб without dot", "RU", "8 343 345-67-89 доб 12", "+73433456789 ext 12"},
		{"доб. behind a comma", "RU", "8 (343) 345-67-89, доб.123", "+73433456789 ext 123"},
		{"добавочный", "RU", "+73433456789 добавочный 4567", "+73433456789 ext 4567"},
		{"вн.", "RU", "8 (343) 345-67-89 вн. 12", "+73433456789 ext 12"},
		{"(вн.12)", "RU", "3433456789(вн.12)", "+73433456789 ext 12"},
		{"внутр.", "RU", "+7 343 3456789 внутр. № 5", "+73433456789 ext 5"},
		{"ext", "RU", "+7 343 3456789 ext. 55", "+73433456789 ext 55"},
		{"x", "US", "(212) 555-2368 x42", "+12125552368 ext 42"},
		{"Cyrillic х", "RU", "+7 343 345-67-89 х42", "+73433456789 ext 42"},
		{"#", "RU", "8 343 345 67 89 #101", "+73433456789 ext 101"},
		{"*", "RU", "8 343 345 67 89*101", "+73433456789 ext 101"},
		{"д.", "RU", "8 343 345-67-89 д. 7", "+73433456789 ext 7"},
		{"a pause", "RU", "+73433456789,,101", "+73433456789 ext 101"},
		{"RFC 3966", "RU", "tel:+7-343-345-67-89;ext=101", "+73433456789 ext 101"},
		{"a menu's choice", "RU", "+7 495 123-45-67*2#", "+74951234567 ext 2"},
		{"two choices", "RU", "84951234567*1*2", "+74951234567 ext 1"},
		{"two pauses and choices", "RU", "+7 495 123-45-67,,2#,,3#", "+74951234567 ext 2, +74951234567 ext 3"},
		{"a conference and its code", "US", "+1 646 558 8656,,12345678901#,,,,*123456#", "+16465588656 ext 123456"},
		{"a code of seven digits", "RU", "8 495 123-45-67,,1234567", "+74951234567 ext 1234567"},
		{"a code of seven digits, one comma", "RU", "8 495 123-45-67,1234567#", "+74951234567 ext 1234567"},
		{"a code behind a semicolon", "RU", "8 495 123-45-67;1234567#", "+74951234567 ext 1234567"},
		{"sixteen digits are more than a German number", "RU", "495 1123-423-45-67*-45", "+49511234234567 ext 45"},
		{"two numbers and a hash", "RU", "89123456789, 89123456780#", "+79123456789, +79123456780"},
		{"two numbers by two commas", "RU", "89123456789,,89123456780", "+79123456789, +79123456780"},
		{"two local numbers by two commas", "RU", "345-67-89,,345-67-80", "3456789, 3456780"},
		{"p and w", "RU", "84951234567pp12w3#", "+74951234567 ext 12"},
		{"local, p", "RU", "345-67-89 p12", "3456789 ext 12"},
		{"a sign and a name", "RU", "345-67-89x12 Иван", "3456789 ext 12"},
		{"a sign and a code of nine digits", "RU", "8 343 345-67-89#123456789", "+73433456789"},
		{"asterisks for dashes", "RU", "8 343 345*67*89", "+73433456789"},
		{"asterisks for dashes and a choice", "RU", "8 343 345*67*89*12", "+73433456789 ext 12"},
		{"local, asterisks for dashes", "RU", "345*67*89", "3456789"},
		{"local, a choice", "RU", "345-67-89*12", "3456789 ext 12"},
		{"internal, a choice", "RU", "101*5", "101 ext 5"},
		{"in brackets", "RU", "+7 495 123-45-67 (2)", "+74951234567 ext 2"},
		{"by a blank", "RU", "89123456789 12", "+79123456789 ext 12"},
		{"by a dash", "RU", "8 (495) 123-45-67 - 12", "+74951234567 ext 12"},
		{"Berlin, #", "DE", "030 90182000 #12", "+493090182000 ext 12"},
		{"Berlin, a choice", "DE", "030 90182000*12#", "+493090182000 ext 12"},
		{"Berlin, p", "DE", "+49 30 90182000 p 12", "+493090182000 ext 12"},
		{"Copenhagen, by a blank", "DK", "21 12 34 56 12", "+4521123456 ext 12"},
		{"Sao Paulo, by a blank", "BR", "11 2123-4567 8", "+551121234567 ext 8"},
		{"a range that is too new", "RU", "+375 99 123-45-67", "991234567"},
		{"Berlin, by a blank", "DE", "+49 30 90182000 12345", "+493090182000 ext 12345"},
		{"Sao Paulo with its country code, by a blank", "BR", "+55 11 2123-4567 8", "+551121234567 ext 8"},
		{"a full-width sign", "RU", "8 343 345 67 89＃101", "+73433456789 ext 101"},
		{"a full-width comma", "RU", "345-67-89，345-67-80", "3456789, 3456780"},
		{"full-width letters", "RU", "8 343 345-67-89 ｅｘｔ 101", "+73433456789 ext 101"},
		{"a code of eight digits", "RU", "8 495 123-45-67,,12345678#", "+74951234567 ext 12345678"},
		{"a code of nine digits", "RU", "8 495 123-45-67,,123456789#", "+74951234567"},
		{"on the next line", "RU", "8 912 345-67-89\nдоб. 12", "+79123456789 ext 12"},
		{"RFC 3966 with a context", "RU", "tel:345-67-89;phone-context=+7343", "3456789"},
		{"a flat", "RU", "ул. Ленина 5 д. 123", ""},
		{"hides the caller", "RU", "*31#89123456789", "+79123456789"},
		{"hides the caller, by a blank", "RU", "*67 89123456789", "+79123456789"},
		{"diverts calls", "RU", "*21*89123456789#", "+79123456789"},
		{"a balance", "RU", "*100#", "100"},
		{"two extensions", "RU", "8 343 345-67-89 доб. 101, 102", "+73433456789 ext 101, +73433456789 ext 102"},
		{"name behind the extension", "RU", "8 343 345-67-89 доб. 101 Иван", "+73433456789 ext 101"},
		{"an extension before the next number", "RU", "345-67-89 доб. 12 8 912 345-67-89", "3456789 ext 12, +79123456789"},

		{"two by comma", "RU", "89123456789, 89123456780", "+79123456789, +79123456780"},
		{"two by semicolon", "RU", "+7 912 345-67-89; +7 912 345-67-80", "+79123456789, +79123456780"},
		{"two by slash", "RU", "8(912)345-67-89/8(912)345-67-80", "+79123456789, +79123456780"},
		{"two by и", "RU", "8 912 345 67 89 и 8 912 345 67 80", "+79123456789, +79123456780"},
		{"two by или", "RU", "89123456789 ИЛИ 89123456780", "+79123456789, +79123456780"},
		{"two by or", "RU", "8 912 345-67-89 or 8 912 345-67-80", "+79123456789, +79123456780"},
		{"two by a letter", "RU", "89123456789и89123456780", "+79123456789, +79123456780"},
		{"two by a blank, with blanks", "RU", "8 912 345 67 89 8 912 345 67 80", "+79123456789, +79123456780"},
		{"two by a blank, the second with #", "RU", "89123456789 89123456780#12", "+79123456789, +79123456780 ext 12"},
		{"two by an Arabic comma", "EG", "01001234567، 01001234568", "+201001234567, +201001234568"},
		{"two by an Arabic semicolon", "EG", "01001234567؛ 01001234568", "+201001234567, +201001234568"},
		{"full width", "RU", "＋７ ９１２ ３４５－６７－８９", "+79123456789"},
		{"two by blank", "RU", "89123456789 89123456780", "+79123456789, +79123456780"},
		{"two by a dash with blanks", "RU", "89123456789 - 89123456780", "+79123456789, +79123456780"},
		{"three local ones by blanks", "RU", "3456789 3456780 3456781", "3456789, 3456780, 3456781"},
		{"fifteen digits are one", "RU", "3456789 12345678", "8912345678"},
		{"two by plus", "RU", "+79123456789+79123456780", "+79123456789, +79123456780"},
		{"two lines", "RU", "8 912 345-67-89\r\n8 912 345-67-80", "+79123456789, +79123456780"},
		{"the last digits of a second", "RU", "8 (343) 345-67-89/90", "+73433456789, +73433456790"},
		{"local, the last digits of a second", "RU", "345-67-89/90", "3456789, 3456790"},
		{"three of several kinds", "RU", "(343) 345-67-89, 345-67-90 / 8 912 345-67-89 (Иван)", "+73433456789, 3456790, +79123456789"},
		{"an extension of eight digits", "RU", "8 343 345-67-89 доб. 12345678", "+73433456789 ext 12345678"},
		{"an extension that is too long", "RU", "8 343 345-67-89 доб. 123456789", "+73433456789, 123456789"},
		{"an invisible mark in a word", "RU", "8 343 345-67-89 до\u00adб. 12", "+73433456789 ext 12"},
		{"extensions of both", "RU", "3433456789 доб. 1; 3433456780 доб. 2", "+73433456789 ext 1, +73433456780 ext 2"},

		{"words before", "RU", "тел.: 8 912 345-67-89", "+79123456789"},
		{"words behind", "RU", "8 912 345-67-89 (Марина, бухгалтер)", "+79123456789"},
		{"a messenger", "RU", "WhatsApp +7 912 345 67 89", "+79123456789"},
		{"fax", "RU", "fax 8 343 345-67-89", "+73433456789"},
		{"hours", "RU", "89123456789 после 18", "+79123456789"},

		{"names between", "RU", "8 912 345-67-89 Иван 8 912 345-67-80 Пётр", "+79123456789, +79123456780"},
		{"a house number", "RU", "ул. Ленина, 5-12 тел 345-67-89", "3456789"},

		{"Minsk", "RU", "+375 (29) 123-45-67", "+375291234567"},
		{"Minsk without plus", "RU", "375 29 123-45-67", "+375291234567"},
		{"Minsk at home", "BY", "8 (029) 123-45-67", "+375291234567"},
		{"Almaty", "RU", "+7 (727) 250-12-34", "+77272501234"},
		{"Almaty at home", "KZ", "8 727 250 12 34", "+77272501234"},
		{"Kazakh mobile", "KZ", "8 701 123 45 67", "+77011234567"},
		{"Kyiv", "RU", "+380 44 123 45 67", "+380441234567"},
		{"Kyiv at home", "UA", "(044) 123-45-67", "+380441234567"},
		{"Kyiv without plus", "RU", "380441234567", "+380441234567"},
		{"Berlin", "RU", "+49 30 90182000", "+493090182000"},
		{"Berlin at home", "DE", "030 / 90182000", "+493090182000"},
		{"New York", "RU", "+1 (212) 555-2368", "+12125552368"},
		{"New York at home", "US", "212-555-2368", "+12125552368"},

		{"internal", "RU", "123", "123"},
		{"internal, four digits", "RU", "4055", "4055"},
		{"internal by word", "RU", "вн. 123", "123"},
		{"internal, several", "RU", "101, 102, 103", "101, 102, 103"},
		{"a SIP address", "RU", "sip:89123456789@pbx.example.org", "+79123456789"},
		{"a SIP extension", "RU", "101@pbx.example.org", "101"},

		{"nothing", "RU", "", ""},
		{"blanks", "RU", " \t\n", ""},
		{"a dash", "RU", "-", ""},
		{"a word", "RU", "нет телефона", ""},
		{"an emoji", "RU", "📵🙂", ""},
		{"an emoji and a number", "RU", "📞 8 912 345-67-89 🙂", "+79123456789"},
		{"keycap emoji", "RU", "8️⃣9️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣9️⃣", "+79123456789"},
		{"one digit", "RU", "1", ""},
		{"a room", "RU", "каб. 305", ""},
		{"letters for digits", "RU", "8-800-ПИЦЦА", ""},
		{"letters behind a sign", "RU", "8 9и2 345-67-89", ""},
		{"a letter amid digits", "RU", "89123456и789", ""},
		{"letters amid digits, then a number", "RU", "8912и34567я89123456780", "+79123456780"},
		{"O for 0", "RU", "8 9О2 345-67-89", "+79023456789"},
		{"o for 0 at the end", "RU", "8 912 345-67-8o", "+79123456780"},
		{"O beside a valid number", "RU", "89123456789 О", "+79123456789"},
		{"O in a local number", "RU", "1O1", ""},
		{"a flat before a number", "RU", "12а89123456789", "+79123456789"},
		{"only zeros", "RU", "000-00-00", ""},
		{"a plus", "RU", "+", ""},
		{"e-mail", "RU", "ivan1234567@example.org", ""},
		{"separators", "RU", ",;/,;/", ""},
		{"a bank account", "RU", "40702810900000012345", "0000012345"},
		{"invalid UTF-8", "RU", "\xff8912\xfe3456789", "+79123456789"},
		{"NUL", "RU", "8912\x003456789", "+79123456789"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, spell(leads.Phones(test.value, test.region))); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.value, diff)
			}
			// A line break behind it changes nothing, but no number stands alone then.
			if diff := cmp.Diff(test.want, spell(leads.Phones(test.value+"\n", test.region))); diff != "" {
				t.Errorf("%q and a line break (-want +got):\n%s", test.value, diff)
			}
		})
	}
}

// As libphonenumber reads them: three letters or more are keys, where they end a valid number.
func TestVanityNumbers(t *testing.T) {
	tests := []struct{ name, region, value, want string }{
		{"free of charge", "US", "1-800-FLOWERS", "+18003569377"},
		{"from abroad", "RU", "+1-800-FLOWERS", "+18003569377"},
		{"from abroad without plus", "RU", "1-800-FLOWERS", "+18003569377"},
		{"two words", "US", "1-800-GOT-JUNK", "+18004685865"},
		{"four letters", "US", "(800) 555-TELE", "+18005558353"},
		{"three letters", "US", "800-5555-BOB", "+18005555262"},
		{"two letters", "US", "800-55555-AB", "80055555"},
		{"a digit between", "US", "1-888-5-NEXTEL", "+18885639835"},
		{"more letters than needed", "US", "1-800-MATTRESS", "+18006288737"},
		{"five letters more", "US", "1-800-FLOWERSFORU", "+18003569377"},
		{"a sentence", "US", "1-800-FLOWERSFORYOU", ""},
		{"capitals and a blank", "AU", "1300 FLOWER", "+611300356937"},
		{"small and joined", "US", "1-800-flowers", "+18003569377"},
		{"small and a blank", "US", "1 800 Flowers", ""},
		{"Russia", "RU", "8-800-FLOWERS", "+78003569377"},
		{"with an extension", "US", "1-800-FLOWERS ext. 5", "+18003569377 ext 5"},
		{"two", "US", "1-800-FLOWERS, 1-800-GOT-JUNK", "+18003569377, +18004685865"},
		{"a town's", "US", "206-MY-PIZZA", "+12066974992"},
		{"a town's, small", "US", "206-my-pizza", ""},
		{"a town's, more letters than needed", "US", "206-MY-PIZZAS", ""},
		{"a street", "US", "212 BROADWAY", ""},
		{"a street of seven letters", "US", "212 BOWERYS", ""},
		{"a house", "RU", "343 Petrova", ""},
		{"a word", "RU", "8 800 WhatsApp", ""},
		{"a word behind a number", "RU", "8 912 345-67-89 WHATSAPP", "+79123456789"},
		{"a name behind a local number", "US", "555-2368 BOB", "5552368"},
		{"a name behind a short valid number", "AC", "62889-BOB", ""},
		{"two digits", "US", "80-FLOWERSX", ""},
		{"a word first", "US", "CALL 800 FLOWERS", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, spell(leads.Phones(test.value, test.region))); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.value, diff)
			}
		})
	}
}

func TestOverlongValuesAreBounded(t *testing.T) {
	if n := len(leads.Phones(strings.Repeat("89123456789,", 5000), "RU")); n != 20 {
		t.Errorf("%d numbers of one value", n)
	}
	if got := spell(leads.Phones(strings.Repeat("-", 995)+"12345678912345", "RU")); got != "12345" {
		t.Errorf("the first 1,000 characters contain %q", got)
	}
	if got := spell(leads.Phones(strings.Repeat("9", 64<<10), "RU")); got != "9999999999" {
		t.Errorf("a value of 64 KiB has %s", got)
	}
}

func TestPhonesOfALead(t *testing.T) {
	lead, err := leads.Parse([]byte(`{"ID":"1","STATUS_SEMANTIC_ID":"F","DATE_CREATE":"2021-05-31T15:10:16+02:00","EMAIL":[{"ID":"9","VALUE":"89120000000"}],"PHONE":[
		{"ID":"11","VALUE":"8 912 345-67-89, 8 912 345-67-80"},{"ID":"12","VALUE":"+7 912 345-67-89 доб. 5"},{"ID":"13","VALUE":"нет"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2021, 5, 31, 13, 10, 16, 0, time.UTC)
	want := []leads.PhoneKey{
		{leads.Phone{E164: "+79123456789", Digits: "9123456789"}, 1, "11", false, true, created},
		{leads.Phone{E164: "+79123456780", Digits: "9123456780"}, 2, "11", false, true, created},
		{leads.Phone{E164: "+79123456789", Digits: "9123456789", Extension: "5"}, 3, "12", true, true, created},
	}
	if diff := cmp.Diff(want, lead.Phones("RU")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCallerDigits(t *testing.T) {
	for value, want := range map[string]string{
		"+79123456789": "9123456789", " 79123456789": "9123456789", "89123456789": "9123456789", "9123456789": "9123456789",
		"8 (912) 345-67-89 доб. 1": "9123456789", "101": "101", "anonymous": "", "": "", "0": "", "12": "",
	} {
		if got, ok := leads.CallerDigits(value, "RU"); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %v", value, got, ok)
		}
	}
}

func TestPhoneRegions(t *testing.T) {
	for region, want := range map[string]bool{"RU": true, "KZ": true, "ru": false, "": false, "Russia": false, "XX": false} {
		if got := leads.ValidPhoneRegion(region); got != want {
			t.Errorf("%q: %v", region, got)
		}
	}
}

func FuzzPhones(f *testing.F) {
	for _, seed := range []string{"+7 (123) 345-67-89 (доб. 123)", "345-67-89/90", "8 912 345 67 89 и 101", "sip:1@x", "+,+;/x#1", "٨٩١٢", "+7 495 123-45-67*2#,,3#", "1-800-FLOWERS", "8 9О2 345-67-8o", "*31#89123456789 (2)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, p := range leads.Phones(value, "RU") {
			switch {
			case len(p.Digits) < 3 || len(p.Digits) > 15 || strings.Trim(p.Digits, "0123456789") != "":
				t.Errorf("%q has the digits %q", value, p.Digits)
			case p.E164 != "" && (p.E164[0] != '+' || len(p.E164) > 16):
				t.Errorf("%q is %q internationally", value, p.E164)
			case len(p.Extension) > 8 || strings.Trim(p.Extension, "0123456789") != "":
				t.Errorf("%q has the extension %q", value, p.Extension)
			}
			if again, ok := leads.CallerDigits(p.E164, "RU"); p.E164 != "" && (!ok || again != p.Digits) {
				t.Errorf("%q: a caller with the number %s is looked up by %q, want %s", value, p.E164, again, p.Digits)
			}
		}
	})
}
