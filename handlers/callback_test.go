package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

func TestCallbacksAreAnsweredByWhatTheyAre(t *testing.T) {
	f := open(t, nil)
	f.installed()
	info := f.portal.Info()
	member, right := info.MemberID, info.ApplicationToken
	for _, test := range []struct {
		name   string
		body   string
		status int
		reason string // "" is received
	}{
		{"a lead was added", callback("ONCRMLEADADD", member, right, "1"), 200, ""},
		{"a lead was edited", callback("ONCRMLEADUPDATE", member, right, "2147483647"), 200, ""},
		{"a lead was deleted", callback("ONCRMLEADDELETE", member, right, "3"), 200, ""},
		{"raw brackets", "event=ONCRMLEADADD&data[FIELDS][ID]=4&auth[member_id]=" + member + "&auth[application_token]=" + right, 200, ""},
		{"an event that nobody asked for", callback("ONCRMDEALADD", member, right, "1"), 200, handlers.UnknownEvent},
		{"no form", "%zz=1", 400, handlers.RefusedForm},
		{"an empty body", "", 400, handlers.RefusedForm},
		{"JSON", `{"event":"ONCRMLEADADD"}`, 400, handlers.RefusedForm},
		{"no id", callback("ONCRMLEADADD", member, right, ""), 400, handlers.RefusedForm},
		{"id 0", callback("ONCRMLEADADD", member, right, "0"), 400, handlers.RefusedForm},
		{"an id beyond int", callback("ONCRMLEADADD", member, right, "2147483648"), 400, handlers.RefusedForm},
		{"an id that is none", callback("ONCRMLEADADD", member, right, "1 or 1=1"), 400, handlers.RefusedForm},
		{"a member_id that is none", callback("ONCRMLEADADD", "a.b", right, "1"), 400, handlers.RefusedForm},
		{"an unknown portal", callback("ONCRMLEADADD", "unknown", right, "1"), 403, handlers.RefusedPortal},
		{"a wrong token", callback("ONCRMLEADADD", member, strings.Repeat("0", len(right)), "1"), 403, handlers.RefusedToken},
		{"no token", callback("ONCRMLEADADD", member, "", "1"), 403, handlers.RefusedToken},
		{"an uninstallation with a wrong token", callback("ONAPPUNINSTALL", member, "wrong", ""), 403, handlers.RefusedToken},
		{"an unknown event of a forger", callback("ONCRMDEALADD", member, "wrong", "1"), 403, handlers.RefusedToken},
		{"64 KiB and one byte", callback("ONCRMLEADADD", member, right, "1") + "&x=" + strings.Repeat("x", 64<<10), 413, handlers.RefusedTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			received, refused := f.Stats.Received.Load(), f.Stats.Refused()
			stored := f.held(events.StreamNotices)
			status, answer := f.post(test.body)
			if status != test.status || answer != "" {
				t.Fatalf("answered %d %q, want %d and nothing", status, answer, test.status)
			}
			if test.reason == "" {
				if f.Stats.Received.Load() != received+1 || f.held(events.StreamNotices) != stored+1 {
					t.Error("it is not stored, or not counted")
				}
				return
			}
			if f.Stats.Refused()[test.reason] != refused[test.reason]+1 {
				t.Errorf("not counted as %s: %v", test.reason, f.Stats.Refused())
			}
			if f.held(events.StreamNotices) != stored || f.Stats.Received.Load() != received {
				t.Error("it was stored")
			}
		})
	}
	if log := f.logged.String(); strings.Contains(log, right) || strings.Contains(log, "anywhere") {
		t.Errorf("the log repeats callbacks: %s", log)
	}
}

// The doorbell of the portal's own queue and the answer to a test event name no lead; the
// portal's owner hears of them.
func TestWhatNamesNoLeadIsPassedOn(t *testing.T) {
	for _, event := range []string{string(events.Doorbell), string(events.Tested)} {
		f := open(t, nil)
		f.installed()
		info, before := f.portal.Info(), f.held(events.StreamPortals)
		if status, _ := f.post(callback(event, info.MemberID, "forged", "")); status != http.StatusForbidden {
			t.Errorf("a forged %s is answered %d", event, status)
		}
		if status, _ := f.post(callback(event, info.MemberID, info.ApplicationToken, "")); status != http.StatusOK {
			t.Errorf("%s is answered %d", event, status)
		}
		if n := f.held(events.StreamPortals) - before; n != 1 {
			t.Errorf("%d of %s were passed on", n, event)
		}
	}
}

func TestNoticeSaysWhatTheCallbackSaid(t *testing.T) {
	f := open(t, nil)
	f.installed()
	info := f.portal.Info()
	f.post(callback("ONCRMLEADUPDATE", info.MemberID, info.ApplicationToken, "7"))
	s, err := f.js.Stream(t.Context(), events.StreamNotices)
	if err != nil {
		t.Fatal(err)
	}
	ref := leads.Ref{MemberID: info.MemberID, LeadID: 7}
	msg, err := s.GetLastMsgForSubject(t.Context(), events.NoticeSubject(ref))
	if err != nil {
		t.Fatal(err)
	}
	var got events.Notice
	if err := json.Unmarshal(msg.Data, &got); err != nil {
		t.Fatal(err)
	}
	want := events.Notice{Event: "ONCRMLEADUPDATE", Cause: leads.CauseEvent, SentAt: 1766047124, ReceivedAt: f.clock.Now()}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Microsecond)); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
	if text := string(msg.Data); strings.Contains(text, info.ApplicationToken) {
		t.Error("the notice carries the token")
	}
}

func TestNoticeThatCannotBeStoredIsAFailure(t *testing.T) {
	f := open(t, func(_ *face, cfg *handlers.Config) {
		cfg.Store = func(context.Context, events.Entry) error { return errors.New("no space") }
	})
	f.installed()
	info := f.portal.Info()
	for _, body := range []string{
		callback("ONCRMLEADUPDATE", info.MemberID, info.ApplicationToken, "7"),
		callback("ONAPPUNINSTALL", info.MemberID, info.ApplicationToken, ""),
	} {
		if status, _ := f.post(body); status != http.StatusInternalServerError {
			t.Errorf("answered %d", status)
		}
	}
	if n := f.Stats.Refused()[handlers.RefusedIll]; n != 2 {
		t.Errorf("%d counted", n)
	}
}

func TestUninstallationGoesToThePortalsOwner(t *testing.T) {
	f := open(t, nil)
	f.installed()
	info := f.portal.Info()
	if status, _ := f.post(callback("ONAPPUNINSTALL", info.MemberID, info.ApplicationToken, "")); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	if n := f.held(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices", n)
	}
	if state := f.portals()[0].State; state != leads.PortalActive {
		t.Errorf("the callback alone made the portal %s", state)
	}
}

func TestPortalThatChangesItsTokenIsKnownAnew(t *testing.T) {
	f := open(t, nil)
	f.installed()
	info := f.portal.Info()
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "tomorrow's", "1")); status != http.StatusForbidden {
		t.Fatalf("answered %d", status)
	}
	p := f.portals()[0]
	p.TokenHash = leads.HashToken("tomorrow's")
	if err := f.db.SavePortal(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(time.Minute)
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "tomorrow's", "1")); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
}

// The clock cannot show it reliably, so the source has to: tokens are compared nowhere
// but in Recognises, and there in constant time.
func TestTokensAreComparedInConstantTime(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../leads/portal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constant := false
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Recognises" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "ConstantTimeCompare" {
				constant = true
			}
			return true
		})
	}
	if !constant {
		t.Error("Portal.Recognises does not use subtle.ConstantTimeCompare")
	}
}
