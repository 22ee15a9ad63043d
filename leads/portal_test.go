package leads_test

import (
	"strings"
	"testing"

	"leadsync/leads"
)

// Where the address of leadsync is not set, its setting stands for it: half an address helps nobody.
func TestRemedyNamesAWholeAddress(t *testing.T) {
	portal := leads.Portal{Domain: "company.bitrix24.com"}
	for public, want := range map[string]string{
		"":                          " LEADSYNC_PUBLIC_URL/bitrix24/oauth/start?domain=company.bitrix24.com ",
		"https://leads.example.com": " https://leads.example.com/bitrix24/oauth/start?domain=company.bitrix24.com ",
	} {
		if got := portal.Remedy(public); !strings.Contains(got, want) {
			t.Errorf("%q: %s", public, got)
		}
	}
}
