package repo

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

func TestColumnsThatDifferFromTheScript(t *testing.T) {
	found := columnsOf([]catalogued{
		{"bitrix_leads", "SQL_title", 255, true},
		{"bitrix_leads", "sql_NAME", 5000, true},
		{"bitrix_leads", "sql_COMMENTS", 50, true},
		{"bitrix_leads", "sql_POST", -1, true},
		{"bitrix_leads", "sql_OPENED", 3000, false},
		{"bitrix_lead_contacts", "sql_VALUE", 15, true},
		{"bitrix_leads", "somebody_elses", 1, false},
	})
	want := leads.Widths{"bitrix_leads.sql_TITLE": 255, "bitrix_leads.sql_COMMENTS": 50, "bitrix_lead_contacts.sql_VALUE": 15}
	if diff := cmp.Diff(want, found.widths); diff != "" {
		t.Errorf("narrower columns (-want +got):\n%s", diff)
	}
	for _, f := range leads.Fields {
		if found.required["sql_"+f.Name] != (f.Name == "OPENED") {
			t.Errorf("%s is required: %v", f.Name, found.required["sql_"+f.Name])
		}
		if s := found.text(f, ""); s.Valid != (f.Name == "OPENED") {
			t.Errorf("an empty %s is %+v", f.Name, s)
		}
	}
}
