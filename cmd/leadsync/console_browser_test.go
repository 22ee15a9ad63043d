package main

import (
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/handlers/console/consoletest"
	"leadsync/leads"
)

// An operator sees that all is current, finds a caller's lead, and follows a pass, which finds a
// change that no callback told of, to its end.
func TestOperatorWorksInABrowser(t *testing.T) {
	t.Parallel()
	t.Cleanup(consoletest.Close)
	portal := startEmulator(t, emulator.Config{Leads: 300, NoLimits: true})
	s := startAccelerated(t, portal, noPasses)
	db := s.mirror(t)
	p := consoletest.Open(t) // after the service: the page ends before it
	p.As(consoletest.Reader{})
	p.Visit(s.admin() + "/")
	p.Until(`document.querySelector("h1")`)
	portal.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	p.Until(`document.querySelector("h1.verdict.current")`) // by itself

	id, _ := portal.RandomID()
	edit := func(fields map[string]any) {
		t.Helper()
		if err := portal.Edit(id, fields); err != nil {
			t.Fatal(err)
		}
	}
	edit(map[string]any{"PHONE": []any{map[string]any{"VALUE": "8 (343) 000-11-22", "VALUE_TYPE": "WORK"}}})
	digits, _ := leads.CallerDigits("83430001122", "RU")
	p.Wait("the mirror has the number", func() bool {
		callers, err := db.Callers(t.Context(), digits, 2)
		return err == nil && len(callers) == 1
	})
	p.Hands.Click("nav a[href='/leads']")
	p.UntilAt("/leads")
	p.Hands.Fill("input[name=q]", "+7 343 000 11 22")
	p.Hands.Press(consoletest.Enter)
	lead := leads.Ref{MemberID: s.member(), LeadID: id}
	p.UntilAt("/leads/" + lead.String())

	portal.SetFaults(emulator.Faults{Lose: 1})
	edit(map[string]any{"TITLE": "nobody told of this"})
	p.Hands.Click("nav a[href='/passes']")
	p.UntilAt("/passes")
	p.Hands.Click("form[action='/passes'] button")
	p.Until(`location.pathname.startsWith("/passes/") && document.querySelector(".done")`)
	p.Until(`document.querySelector("#live .state.completed")`)
	p.Hands.Click("#live td a[href='/leads/" + lead.String() + "']")
	p.UntilSays("nobody told of this")
}
