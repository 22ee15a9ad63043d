package main

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/handlers/console/consoletest"
	"leadsync/leads"
	"leadsync/service"
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

// startClocked starts a service whose clock a test sets forward.
func startClocked(t *testing.T, p *emulator.Portal) (s *testServer, forward func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	s = startServeWith(t, p, noPasses, func(ctx context.Context, s *testServer) int {
		cfg, err := service.ReadConfig(environmentOf(s.vars))
		if err != nil {
			t.Error(err)
			return exitUsage
		}
		cfg.Tuning.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		if err := service.Serve(ctx, cfg, service.NewLog(s.log, cfg)); err != nil {
			t.Error(err)
			return exitFailure
		}
		return exitOK
	})
	return s, func(d time.Duration) { ahead.Add(int64(d)) }
}

// A lead that the database refuses is given up after three quarters of an hour. A replay while the cause
// is there loses nothing; after it is mended, a replay stores the lead.
func TestOperatorReplaysALeadInABrowser(t *testing.T) {
	t.Parallel()
	t.Cleanup(consoletest.Close)
	portal := startEmulator(t, emulator.Config{Leads: 20, NoLimits: true})
	s, forward := startClocked(t, portal)
	db := s.mirror(t)
	p := consoletest.Open(t)
	p.As(consoletest.Reader{})
	portal.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	id, _ := portal.RandomID()
	lead := leads.Ref{MemberID: s.member(), LeadID: id}
	alter := func(statement string) {
		t.Helper()
		if _, err := s.rawDB(t).ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	alter("CREATE TRIGGER refuse BEFORE UPDATE ON bitrix_leads WHEN NEW.sql_ID = " + strconv.FormatInt(id, 10) + " AND NEW.sql_TITLE = 'refused' BEGIN SELECT RAISE(ABORT, 'not in this house'); END")
	if err := portal.Edit(id, map[string]any{"TITLE": "refused"}); err != nil {
		t.Fatal(err)
	}
	untilGivenUp := func() {
		t.Helper()
		for attempts, wait := range []time.Duration{0, 10 * time.Second, time.Minute, 6 * time.Minute, 36 * time.Minute} {
			forward(wait + time.Second)
			p.Wait("another attempt", func() bool {
				failing, err := db.Failing(t.Context(), s.member())
				return err == nil && len(failing) == 1 && failing[0].LeadID == id && failing[0].Attempts > attempts
			})
		}
		p.Wait("the letter is there", func() bool {
			p.Visit(s.admin() + "/dead")
			return consoletest.Value[bool](p, `!!document.querySelector("td a[href='/dead/`+lead.String()+`']")`)
		})
	}
	replay := func() {
		t.Helper()
		p.Hands.Click("td a[href='/dead/" + lead.String() + "']")
		p.UntilAt("/dead/" + lead.String()) // the list that is being left has the same words and the same button
		p.UntilSays("not in this house")
		p.Hands.Click("form[action='/dead/replay'] button")
		p.UntilAt("/dead?done=replayed-1")
		p.UntilSays("Leads to be read again: 1.")
		p.UntilSays("There are none.")
	}

	p.Visit(s.admin() + "/dead")
	p.Until(`document.querySelector("#live td a[href='/leads/` + lead.String() + `']")`) // by itself
	p.UntilSays("not in this house")
	untilGivenUp()
	replay()
	p.Until(`document.querySelector("#live td a[href='/leads/` + lead.String() + `']")`) // it fails again, and the page says so
	p.UntilSays("not in this house")
	untilGivenUp() // nothing is lost
	alter("DROP TRIGGER refuse")
	replay()
	p.Wait("the lead is stored", func() bool {
		row, ok, err := db.Row(t.Context(), lead)
		return err == nil && ok && strings.Contains(string(row.Raw), `"refused"`)
	})
	p.Visit(s.admin() + "/leads/" + lead.String())
	p.UntilSays("Lead " + strconv.FormatInt(id, 10) + ": refused")
	p.Visit(s.admin() + "/dead")
	p.UntilSays("There are none.")
	if text := p.Text(); consoletest.Value[bool](p, `!!document.querySelector("td a[href$='/`+strconv.FormatInt(id, 10)+`']")`) {
		t.Errorf("the lead is still there: %s", text)
	}
}
