package service

import (
	"testing"

	"leadsync/bitrix24"
	"leadsync/handlers/console"
)

// The page shows the method that will be blocked first.
func TestBusiestMethod(t *testing.T) {
	got := busiest(map[string]bitrix24.MethodState{
		"crm.lead.get": {Used: 10, Limit: 420}, "crm.lead.list": {Used: 33, Limit: 420}, "batch": {Used: 40, Limit: 4200}, "x": {Used: 9},
	})
	if want := (console.Operating{Method: "crm.lead.list", Used: 33, Limit: 420}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := busiest(nil); got != (console.Operating{}) {
		t.Errorf("of nothing: %+v", got)
	}
}
