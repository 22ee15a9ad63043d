package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

func TestCallbacksAreAnsweredByWhatTheyAre(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	member, right := info.MemberID, info.ApplicationToken
	for _, test := range []struct {
		name   string
		body   string
		status int
		reason portals.Reason
	}{
		{"a lead was added", callback("ONCRMLEADADD", member, right, "1"), 200, portals.Accepted},
		{"a lead was edited", callback("ONCRMLEADUPDATE", member, right, "2147483647"), 200, portals.Accepted},
		{"a lead was deleted", callback("ONCRMLEADDELETE", member, right, "3"), 200, portals.Accepted},
		{"raw brackets", "event=ONCRMLEADADD&data[FIELDS][ID]=4&auth[member_id]=" + member + "&auth[application_token]=" + right, 200, portals.Accepted},
		{"an event that nobody asked for", callback("ONCRMDEALADD", member, right, "1"), 200, portals.UnknownEvent},
		{"not a form", "%zz=1", 400, portals.Unparsable},
		{"an empty body", "", 400, portals.Unparsable},
		{"JSON", `{"event":"ONCRMLEADADD"}`, 400, portals.Unparsable},
		{"no id", callback("ONCRMLEADADD", member, right, ""), 400, portals.Unparsable},
		{"id 0", callback("ONCRMLEADADD", member, right, "0"), 400, portals.Unparsable},
		{"an id beyond int", callback("ONCRMLEADADD", member, right, "2147483648"), 400, portals.Unparsable},
		{"an id that is not a number", callback("ONCRMLEADADD", member, right, "1 or 1=1"), 400, portals.Unparsable},
		{"a member_id with a dot", callback("ONCRMLEADADD", "a.b", right, "1"), 400, portals.Unparsable},
		{"an unknown portal", callback("ONCRMLEADADD", "unknown", right, "1"), 403, portals.UnknownPortal},
		{"a wrong token", callback("ONCRMLEADADD", member, strings.Repeat("0", len(right)), "1"), 403, portals.WrongToken},
		{"no token", callback("ONCRMLEADADD", member, "", "1"), 403, portals.WrongToken},
		{"an uninstallation with a wrong token", callback("ONAPPUNINSTALL", member, "wrong", ""), 403, portals.WrongToken},
		{"an unknown event of a forger", callback("ONCRMDEALADD", member, "wrong", "1"), 403, portals.WrongToken},
		{"64 KiB and one byte", callback("ONCRMLEADADD", member, right, "1") + "&x=" + strings.Repeat("x", 64<<10), 413, portals.TooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			received, refused := h.stats.Received.Load(), h.refused(test.reason)
			stored := h.messages(events.StreamNotices)
			status, answer := h.post(test.body)
			if status != test.status || (answer == "") != (status == http.StatusOK) {
				t.Fatalf("answered %d %q, want %d and why", status, answer, test.status)
			}
			if test.reason == portals.Accepted {
				if h.stats.Received.Load() != received+1 || h.messages(events.StreamNotices) != stored+1 {
					t.Error("it is not stored, or not counted")
				}
				return
			}
			if h.refused(test.reason) != refused+1 {
				t.Errorf("not counted as %s: %v", test.reason, h.stats.Refused())
			}
			if h.messages(events.StreamNotices) != stored || h.stats.Received.Load() != received {
				t.Error("it was stored")
			}
		})
	}
	if log := h.log.String(); strings.Contains(log, right) || strings.Contains(log, "anywhere") {
		t.Errorf("the log repeats callbacks: %s", log)
	}
}

// The doorbell of the portal's own queue and the answer to a test event name no lead; they
// go to the portal's owner.
func TestCallbacksWithoutALeadGoToTheOwner(t *testing.T) {
	for _, event := range []string{string(events.Doorbell), string(events.Tested)} {
		h := open(t, nil)
		h.installed()
		info, before := h.portal.Info(), h.messages(events.StreamPortals)
		if status, _ := h.post(callback(event, info.MemberID, "forged", "")); status != http.StatusForbidden {
			t.Errorf("a forged %s is answered %d", event, status)
		}
		if status, _ := h.post(callback(event, info.MemberID, info.ApplicationToken, "")); status != http.StatusOK {
			t.Errorf("%s is answered %d", event, status)
		}
		if n := h.messages(events.StreamPortals) - before; n != 1 {
			t.Errorf("%d of %s were passed on", n, event)
		}
	}
}

func TestNoticeSaysWhatTheCallbackSaid(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	h.post(callback("ONCRMLEADUPDATE", info.MemberID, info.ApplicationToken, "7"))
	s, err := h.bus().Stream(t.Context(), events.StreamNotices)
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
	want := events.Notice{Event: "ONCRMLEADUPDATE", Cause: leads.CauseEvent, SentAt: 1766047124, ReceivedAt: h.clock.Now()}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Microsecond)); diff != "" {
		t.Errorf("notice (-want +got):\n%s", diff)
	}
	if text := string(msg.Data); strings.Contains(text, info.ApplicationToken) {
		t.Error("the notice carries the token")
	}
}

func TestNoticeThatCannotBeStoredIsAFailure(t *testing.T) {
	h := open(t, func(h *harness) {
		h.cfg.Store = func(context.Context, events.Entry) error { return errors.New("no space") }
	})
	h.installed()
	info := h.portal.Info()
	for _, body := range []string{
		callback("ONCRMLEADUPDATE", info.MemberID, info.ApplicationToken, "7"),
		callback("ONAPPUNINSTALL", info.MemberID, info.ApplicationToken, ""),
	} {
		if status, _ := h.post(body); status != http.StatusInternalServerError {
			t.Errorf("answered %d", status)
		}
	}
	if n := h.refused(portals.NotStored); n != 2 {
		t.Errorf("%d counted", n)
	}
}

func TestUninstallationGoesToThePortalsOwner(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	if status, _ := h.post(callback("ONAPPUNINSTALL", info.MemberID, info.ApplicationToken, "")); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	if n := h.messages(events.StreamPortals); n != 1 {
		t.Errorf("%d portal notices", n)
	}
	if state := h.portals()[0].State; state != leads.PortalActive {
		t.Errorf("the callback alone made the portal %s", state)
	}
}

// Of a callback that cannot be verified now the entry keeps the hash of its token.
func TestUnverifiedCallbacksAreMarked(t *testing.T) {
	var kept []events.Entry
	h := open(t, func(h *harness) {
		h.registry.Store = down{h.db}
		h.cfg.Store = func(_ context.Context, e events.Entry) error {
			kept = append(kept, e)
			return nil
		}
	})
	if status, _ := h.post(callback("ONCRMLEADADD", "a", "t", "7")); status != http.StatusOK || h.stats.Received.Load() != 1 || h.stats.Blind.Load() != 1 {
		t.Fatalf("answered %d", status)
	}
	if len(kept) != 1 || kept[0].MemberID != "a" || kept[0].TokenHash != leads.HashToken("t") {
		t.Errorf("stored %+v", kept)
	}
}

// down is a database that does not answer.
type down struct{ portals.Store }

func (down) Portal(context.Context, string) (leads.Portal, bool, error) {
	return leads.Portal{}, false, errors.New("the database is down")
}

func (down) Portals(context.Context) ([]leads.Portal, error) {
	return nil, errors.New("the database is down")
}

// A member_id in capitals is the same portal's: what it sends must not wait on a subject
// that nobody reads.
func TestCallbacksInCapitalsGoToTheirPortal(t *testing.T) {
	var kept []events.Entry
	h := open(t, func(h *harness) {
		h.cfg.Store = func(_ context.Context, e events.Entry) error {
			kept = append(kept, e)
			return nil
		}
	})
	h.installed()
	info := h.portal.Info()
	shouted := strings.ToUpper(info.MemberID)
	h.post(callback("ONCRMLEADADD", shouted, info.ApplicationToken, "7"))
	h.post(callback("ONAPPUNINSTALL", shouted, info.ApplicationToken, ""))
	if len(kept) != 2 || kept[0].Subject != events.NoticeSubject(leads.Ref{MemberID: info.MemberID, LeadID: 7}) || strings.Contains(kept[1].Subject+string(kept[1].Data), shouted) {
		t.Errorf("stored %+v", kept)
	}
	h.registry.Store = down{h.db}
	h.serve()
	h.post(callback("ONCRMLEADADD", shouted, info.ApplicationToken, "8"))
	if len(kept) != 3 || kept[2].MemberID != info.MemberID || strings.Contains(kept[2].Subject, shouted) {
		t.Errorf("stored without a database: %+v", kept)
	}
}
