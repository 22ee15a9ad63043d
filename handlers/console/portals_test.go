package console_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/console"
	"leadsync/leads"
)

// The page of connecting shows what to enter, and how far each step is.
func TestConnectingGoesStepByStep(t *testing.T) {
	h := furnished("plain")
	h.portals, h.connects = nil, console.Connection{Open: true, Address: []console.Check{{Level: "fault", Found: "it does not answer", Do: "start the proxy", Says: "dial tcp: <refused>"}}}
	o := open(t, h)
	wantInOrder(t, o.page("/portals/connect"), "1. ", "to do", "https://leads.example.com", "it does not answer", "start the proxy", "the error says: dial tcp: &lt;refused&gt;",
		"2. ", "https://leads.example.com/bitrix24/oauth/callback", "https://leads.example.com/bitrix24/events", "crm", "3. ", "done", "comes in by itself", "4. ", "to do", "LEADSYNC_B24_CLIENT_ID", "5. ", "No portal is connected yet.")
	h.connects = console.Connection{Application: true, Address: []console.Check{{Level: "ok", Found: "it answers"}}}
	h.portals = []console.Portal{{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Tokens: []console.Tokens{{}}, BoundAt: time.Now(), Import: &leads.Run{ID: "run-9", State: leads.RunRunning, Sums: leads.Sums{Scanned: 1234}}}}
	wantInOrder(t, o.page("/portals/connect"), "1. ", "done", "2. ", "3. ", "Save the form of step 2 once", `name="member_id"`, "4. ", "has its own keys", "5. ", "company.bitrix24.ru", "accepts leadsync", "done", "events are bound", "done",
		"not known yet", "imported", "to do", `href="/passes/run-9"`, "running", "leads compared: 1,234")
	h.portals[0].Unbound, h.portals[0].Imported, h.portals[0].TokenKnown = []string{"ONCRMLEADADD"}, true, true
	wantInOrder(t, o.page("/portals/connect"), "accepts leadsync", "done", "events are bound", "to do", "ONCRMLEADADD", "token", "done", "imported", "done")
}

// Who was let in is sent to the step that has the form of the application.
func TestWhoIsLetInIsSentToTheForm(t *testing.T) {
	o := open(t, furnished("plain"))
	wantInOrder(t, o.page("/portals/connect?done=invited"), "may come in now", "(step 2)", "<h2>2. A local application in Bitrix24")
	wantInOrder(t, o.page("/portals/connect?done=invited", "Accept-Language", "ru"), "(шаг 2)", "<h2>2. Локальное приложение в Битрикс24")
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

// A portal that does not answer is not called active: the page says what the overview says.
func TestPortalsPageSaysHowPortalsStand(t *testing.T) {
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	h := furnished("plain")
	h.portals = []console.Portal{{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Problem: "notices: no answer"}}
	h.overview.Portals = []console.PortalStatus{{MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Mirror: leads.MirrorStatus{State: leads.MirrorBlind, Since: at, At: at, Reason: "changes may have been missed, and no pass has compared the leads since"}}}
	h.overview.Problems = map[string]string{"portal company.bitrix24.ru": "notices: failing since 2026-11-24T10:00:00Z: no answer", "portal two": "another's"}
	o := open(t, h)
	for _, path := range []string{"/portals", "/portals/connect"} {
		page := o.page(path)
		wantInOrder(t, page, `company.bitrix24.ru <span class="state blind">blind</span>`, "does not work since", "2026-11-24T10:00:00Z", "no answer")
		if strings.Contains(page, "state active") || strings.Contains(page, "another's") {
			t.Errorf("%s: %s", path, page)
		}
	}
	wantInOrder(t, o.page("/portals"), "changes may have been missed", "In this state since", "2026-11-24T10:00:00Z")
	h.overview.Problems = map[string]string{"callbacks of company.bitrix24.ru": h.overview.Portals[0].Mirror.Reason}
	if page := o.page("/portals"); strings.Count(page, "changes may have been missed") != 1 {
		t.Errorf("a reason is shown twice: %s", page)
	}
	h.overview.Problems = nil
	wantInOrder(t, o.page("/portals"), "no answer") // what its owner has noted
	h.overview.Portals[0].Mirror = leads.MirrorStatus{State: leads.MirrorCurrent}
	wantInOrder(t, o.page("/portals"), `<span class="state current">current</span>`)
	h.change(func() { h.broken = errors.New("the database is down") })
	wantInOrder(t, o.page("/portals"), `<span class="state unknown">unknown</span>`)
	h.change(func() { h.broken = nil })
	h.portals[0].State, h.portals[0].Remedy, h.overview.Portals[0].State = leads.PortalNeedsAuthorization, "save the application's form in Bitrix24 again", leads.PortalNeedsAuthorization
	wantInOrder(t, o.page("/portals", "Accept-Language", "ru"), "нужен вход", "сохраните форму приложения")
}

// Whoever is refused is shown where portals are connected, with what to do and a way to let him in.
func TestRefusedPortalsAreShown(t *testing.T) {
	h := furnished("plain")
	h.connects.Application = true
	const second = "b223c6b3710f85df22e9377d6c4f7553"
	h.refused = []console.Refusal{
		{At: time.Now(), Count: 3, MemberID: second, Host: "second.bitrix24.ru", Reason: "not_verified", Detail: "it is not in LEADSYNC_B24_PORTALS"},
		{At: time.Now(), Count: 1, MemberID: member, Reason: "too_many"},
		{At: time.Now(), Count: 1, MemberID: "stranger", Reason: "unparsable"},
	}
	o := open(t, h)
	page := o.page("/portals/connect")
	wantInOrder(t, page, "Refused lately", "(times: 3)", "second.bitrix24.ru", second, "the portal is not allowed here", "the error says: it is not in LEADSYNC_B24_PORTALS", "Let it in with the keys of its own application",
		`<a href="/portals/connect?member_id=`+second+`#letin">`, "came too often", "Wait a minute")
	if strings.Contains(page, "stranger") || strings.Count(page, "#letin") != 1 {
		t.Errorf("strangers are shown, or may be let in: %s", page)
	}
	wantInOrder(t, o.page("/portals/connect?member_id="+second), `name="member_id" autocomplete="off" value="`+second+`"`, `value="second.bitrix24.ru"`)
	wantInOrder(t, o.page("/portals/connect?member_id=c223c6b3710f85df22e9377d6c4f7553"), `name="member_id" autocomplete="off" value=""`) // an address fills in nothing
	wantInOrder(t, o.page("/portals/connect", "Accept-Language", "ru"), "Недавно отклонено", "порталу сюда нельзя", "Это ваш портал?")
	if page := o.page("/portals/connect", "Authorization", "Bearer "+readToken); strings.Contains(page, "#letin") {
		t.Error("a reader is shown how to let a portal in")
	}
	wantInOrder(t, page, "3. ", "shows it under “Refused lately”", "Refused lately</h2>", "4. ")
	if strings.Contains(page, second+"</small> <span") {
		t.Errorf("who was refused is not connected: %s", page)
	}
	h.portals = []console.Portal{{MemberID: second, Domain: "second.bitrix24.ru", State: leads.PortalActive, Tokens: []console.Tokens{{}}}}
	wantInOrder(t, o.page("/portals/connect"), "Refused lately", second+"</small> <span", "connected now", "5. ")
	h.refused = nil
	if page := o.page("/portals/connect"); strings.Contains(page, `id="refused"`) {
		t.Error("nobody was refused")
	}
}

// The keys of the first portal's application are not those of the next one's.
func TestKeysOfTheFirstPortalAreNotThoseOfTheNext(t *testing.T) {
	step4 := func(c console.Connection) string {
		h := furnished("plain")
		h.connects = c
		_, after, _ := strings.Cut(open(t, h).page("/portals/connect"), "<h2>4. ")
		step, _, _ := strings.Cut(after, "<h2>5. ")
		return step
	}
	for _, test := range []struct {
		name       string
		c          console.Connection
		done, todo bool
		says       string
	}{
		{"before the first portal, without keys", console.Connection{Open: true}, false, true, "restart within the hour"},
		{"before the first portal", console.Connection{Open: true, Application: true}, true, false, "restart within the hour"},
		{"for the next portal", console.Connection{Application: true}, false, false, "enter those of the next portal in the form of step 3"},
		{"for the next portal, without keys of the settings", console.Connection{}, false, true, "are not set"},
	} {
		step := step4(test.c)
		if strings.Contains(step, ">done<") != test.done || strings.Contains(step, ">to do<") != test.todo || !strings.Contains(step, test.says) {
			t.Errorf("%s: %s", test.name, step)
		}
	}
}

// The process that works for a portal is named in words; a name of another form stays as it is.
func TestPortalsPageNamesTheProcess(t *testing.T) {
	h := furnished("plain")
	h.portals[0].Owner, h.portals[1].Owner = "crm-1/4711/ABCDEFGH", "somebody"
	o := open(t, h)
	wantInOrder(t, o.page("/portals"), "Worked for by", "process 4711 on machine crm-1<", "somebody")
	wantInOrder(t, o.page("/portals", "Accept-Language", "ru"), "Кто обслуживает портал", "процесс 4711 на машине crm-1<", "somebody")
}
