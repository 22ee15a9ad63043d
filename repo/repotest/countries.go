package repotest

import (
	"slices"
	"strings"

	"leadsync/leads"
	"leadsync/repo"
)

// callersOfARegion looks numbers up in the spelling of a country that is not the default.
func callersOfARegion(m *mirror) {
	m.t.Helper()
	m.verdict(leads.Inserted, seen(1, called(m.t, 250, "P", "050 123 45 67")))
	m.wantCallers("050 123 45 67", "1:250")
	azeri := &mirror{DB: m.again(repo.Config{PhoneRegion: "AZ"}), t: m.t, ctx: m.ctx}
	tables, err := azeri.Refill(m.ctx)
	if err != nil || !slices.Contains(tables, "leadsync_phones") {
		m.t.Fatalf("filled %v, %v", tables, err)
	}
	for _, dialled := range []string{"+994501234567", "050 123 45 67", "0501234567", "994501234567", "8~10 994 50 123 45 67", "00994501234567", "501234567"} {
		azeri.wantCallers(dialled, "1:250")
	}
	azeri.wantCallers("+380501234567", "1:250") // only e164 tells them apart
	if _, err := m.Refill(m.ctx); err != nil {
		m.t.Fatal(err)
	}
}

// functionFindsCountries compares the SQL function with the lookup, for callers as telephone
// systems send them: international, without the plus, with an exit code, or national.
func functionFindsCountries(m *mirror) {
	m.t.Helper()
	if m.Dialect() == "sqlite" {
		m.t.Skip("SQLite has no functions that return tables")
	}
	for i, number := range []string{
		"+994501234568", "+380501234569", "+375291234560", "+375291234568", "+4915123456789", "+493090182001", "+390612345678", "+393123456789", "+442079460958",
		"+33698765432", "+12015550123", "+77011234567", "+998901234567", "+8613123456789", "+36201234567", "+61412345678", "+37061234567", "+3545811234",
	} {
		id := int64(260 + i)
		m.apply(seen(1, called(m.t, id, "P", number)))
		want := m.callers(number)
		digits := strings.TrimPrefix(number, "+")
		for _, dialled := range []string{number, digits, "00" + digits, "810" + digits, "011" + digits, "tel:" + number + ";ext=5"} {
			got := m.text("SELECT MAX(lead_id) FROM dbo.bitrix_lead_by_phone(@p1)", dialled)
			if !strings.Contains(want, ":"+got) {
				m.t.Errorf("%q: the function finds lead %s, the lookup %s", dialled, got, want)
			}
		}
	}
	for dialled, want := range map[string]string{
		"050 123-45-68": "260", "8 029 123-45-68": "263", "0151 23456789": "264", "(030) 90182001": "265", "06 12345678": "266", "312 345 6789": "267",
		"020 7946 0958": "268", "+44 (0) 20 7946 0958": "268", "06 98 76 54 32": "269", "(201) 555-0123": "270", "1-201-555-0123": "270", "8 701 123 45 67": "271",
		"8~10 998 90 123 45 67": "272", "06 20 123 4567": "274", "0412 345 678": "275", "8 612 34567": "276", "+994 12 501234568": "<null>", "7 501234568": "<null>",
	} {
		if got := m.text("SELECT MAX(lead_id) FROM dbo.bitrix_lead_by_phone(@p1)", dialled); got != want {
			m.t.Errorf("%q: the function finds lead %s, want %s", dialled, got, want)
		}
	}
}
