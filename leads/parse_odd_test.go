package leads_test

import (
	"errors"
	"testing"

	"leadsync/leads"
)

func TestParseKeepsTheIDOfACardItCannotRead(t *testing.T) {
	const card = `{"ID":"2","PHONE":["+7900"]}`
	lead, err := leads.Parse([]byte(card))
	if !errors.Is(err, leads.ErrNoLead) {
		t.Fatalf("got %v, want %v", err, leads.ErrNoLead)
	}
	if lead.ID != 2 || string(lead.Raw) != card {
		t.Errorf("lead %d, card %s", lead.ID, lead.Raw)
	}
}
