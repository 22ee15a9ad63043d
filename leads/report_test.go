package leads_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
)

// One lead a line, in columns, whatever people typed into Bitrix24; that nobody has the number is said.
func TestCallersAreWrittenAsATable(t *testing.T) {
	t.Parallel()
	read := time.Date(2026, 11, 26, 10, 0, 0, 0, time.Local)
	text := func(found ...leads.Caller) string {
		t.Helper()
		var out strings.Builder
		if err := leads.NewAnswer(found).WriteText(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	got := text(
		leads.Caller{Rank: 1, LeadID: 7, Open: true, Name: "Iwanow Pjotr", Company: "Acme", Title: "Roof", ResponsibleID: "12", ReadAt: read, CardURL: "https://company.bitrix24.ru/crm/lead/details/7/"},
		leads.Caller{Rank: 2, LeadID: 1234567, Title: "Do\tor\n\x1b[2J"},
	)
	want := "" +
		"RANK  LEAD     STATE   NAME          COMPANY  TITLE      RESPONSIBLE  READ                 CARD\n" +
		"1     7        open    Iwanow Pjotr  Acme     Roof       12           2026-11-26 10:00:00  https://company.bitrix24.ru/crm/lead/details/7/\n" +
		"2     1234567  closed                         Do or [2J               -                    \n"
	if got != want {
		t.Errorf("written:\n%swant:\n%s", got, want)
	}
	if got := text(); got != "no lead has this number\n" {
		t.Errorf("nobody: %q", got)
	}
}

// A change is a line: a title of several lines, a card that is too large or cannot be read, and a deletion leave it one.
func TestChangesAreWrittenAsLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   leads.ChangeKind
		fields []string
		card   string
		want   string // behind the time
	}{
		"added":          {leads.Added, []string{"TITLE"}, `{"TITLE":"Roof","NAME":"Pjotr","LAST_NAME":"Iwanow"}`, "added    m/7  revision 3  (event)  Roof  Pjotr Iwanow"},
		"edited":         {leads.Changed, []string{"NAME", "TITLE"}, `{"TITLE":"Roof\nand\u001b door ","NAME":null}`, "updated  m/7  revision 3  (event)  Roof and door  [NAME TITLE]"},
		"deleted":        {leads.RemovedKind, nil, "", "deleted  m/7  revision 3  (event)"},
		"too large":      {leads.Changed, []string{"TITLE"}, "", "updated  m/7  revision 3  (event)  [TITLE]"},
		"an odd title":   {leads.Changed, nil, `{"TITLE":7}`, "updated  m/7  revision 3  (event)"},
		"nothing to say": {leads.Changed, nil, `{}`, "updated  m/7  revision 3  (event)"},
	} {
		var out strings.Builder
		c := leads.Change{
			MemberID: "m", LeadID: 7, Kind: test.kind, Revision: 3, Fields: test.fields, Cause: leads.CauseEvent, Lead: json.RawMessage(test.card),
			ReadAt: time.Date(2026, 11, 26, 10, 0, 0, 0, time.Local),
		}
		if err := c.WriteText(&out); err != nil || out.String() != "10:00:00  "+test.want+"\n" {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
}
