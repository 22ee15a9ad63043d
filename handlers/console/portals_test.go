package console_test

import (
	"strings"
	"testing"
	"time"

	"leadsync/handlers/console"
	"leadsync/leads"
)

// The page of connecting shows what to enter, and how far each step is.
func TestConnectingGoesStepByStep(t *testing.T) {
	h := furnished("plain")
	h.portals, h.connects = nil, console.Connection{Open: true, Address: []console.Check{{Level: "fault", Found: "it does not answer", Do: "start the proxy"}}}
	o := open(t, h)
	wantInOrder(t, o.page("/portals/connect"), "1. ", "to do", "https://leads.example.com", "it does not answer", "start the proxy", "2. ", "done", "comes in by itself",
		"3. ", "https://leads.example.com/bitrix24/oauth/callback", "https://leads.example.com/bitrix24/events", "crm", "4. ", "to do", "LEADSYNC_B24_CLIENT_ID", "5. ", "No portal is connected yet.")
	h.connects = console.Connection{Application: true, Address: []console.Check{{Level: "ok", Found: "it answers"}}}
	h.portals = []console.Portal{{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Tokens: []console.Tokens{{}}, BoundAt: time.Now(), Import: &leads.Run{ID: "run-9", State: leads.RunRunning, Sums: leads.Sums{Scanned: 1234}}}}
	wantInOrder(t, o.page("/portals/connect"), "1. ", "done", "2. ", `name="member_id"`, "3. ", "4. ", "done", "5. ", "company.bitrix24.ru", "accepts leadsync", "done", "events are bound", "done",
		"not known yet", "imported", "to do", `href="/passes/run-9"`, "running", "leads compared: 1,234")
	h.portals[0].Unbound, h.portals[0].Imported, h.portals[0].TokenKnown = []string{"ONCRMLEADADD"}, true, true
	wantInOrder(t, o.page("/portals/connect"), "accepts leadsync", "done", "events are bound", "to do", "ONCRMLEADADD", "token", "done", "imported", "done")
}

func TestRemovalSaysWhatIsErased(t *testing.T) {
	h := furnished("plain")
	h.portals = []console.Portal{{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Leads: 12345}}
	o := open(t, h)
	wantInOrder(t, o.page("/portals"), "<details>", "erases for good", "12,345", "company.bitrix24.ru", "Erase it")
	h.portals[0].Removing = true
	if page := o.page("/portals"); !strings.Contains(page, "is being erased") || strings.Contains(page, "Erase it") {
		t.Errorf("while it is erased: %s", page)
	}
}
