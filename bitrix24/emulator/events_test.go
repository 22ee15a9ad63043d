package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"leadsync/bitrix24/emulator"
)

func TestInstallPostsTheInstallation(t *testing.T) {
	b, r := start(t, emulator.Config{}), receive(t)
	b.Install(r.URL+"/events", "")
	forms := b.drain(t, r)
	if len(forms) != 1 {
		t.Fatalf("%d callbacks", len(forms))
	}
	f := forms[0]
	want := url.Values{
		"event": {"ONAPPINSTALL"}, "auth[member_id]": {b.info.MemberID}, "auth[application_token]": {b.info.ApplicationToken},
		"auth[client_endpoint]": {b.info.Portal + "/rest/"}, "auth[server_endpoint]": {b.info.OAuth + "/rest/"}, "data[INSTALLED]": {"Y"},
	}
	for k, v := range want {
		if f.Get(k) != v[0] {
			t.Errorf("%s = %q, want %q", k, f.Get(k), v[0])
		}
	}
	if got := b.rest(t, f.Get("auth[access_token]"), "app.info", ""); got.status != http.StatusOK {
		t.Errorf("the token it carries: %s", got.body)
	}
	if got := b.token(t, "grant_type=refresh_token&refresh_token="+f.Get("auth[refresh_token]")); got.tree["access_token"] == nil {
		t.Errorf("the refresh token it carries: %s", got.body)
	}
}

// bind installs the application and binds the three lead events to the receiver.
func (b *harness) bind(tb testing.TB, r *receiver) string {
	tb.Helper()
	access, _ := b.authorize(tb)
	for _, e := range []string{"ONCRMLEADADD", "oncrmleadupdate", "ONCRMLEADDELETE"} {
		got := b.rest(tb, access, "event.bind", "event="+e+"&handler="+url.QueryEscape(r.URL+"/h"))
		if got.status != http.StatusOK || got.tree["result"] != true {
			tb.Fatalf("bind: %s", got.body)
		}
	}
	return access
}

func TestLeadEventsReachTheHandler(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 5, NoLimits: true}), receive(t)
	b.bind(t, r)
	ids := b.Add(2)
	if err := b.Edit(ids[0], map[string]any{"TITLE": "new"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ids[1]); err != nil {
		t.Fatal(err)
	}
	b.hook(t, "crm.lead.get", `{"id":`+strconv.FormatInt(ids[1], 10)+`}`).wantError(t, 400, "", "Not found")
	got := map[string]int{}
	for _, f := range b.drain(t, r) {
		got[f.Get("event")+f.Get("data[FIELDS][ID]")]++
		if f.Get("auth[access_token]") == "" || f.Get("auth[refresh_token]") != "" || f.Get("event_handler_id") == "" {
			t.Errorf("auth of a lead event: %s", f.Get("raw"))
		}
	}
	id0, id1 := strconv.FormatInt(ids[0], 10), strconv.FormatInt(ids[1], 10)
	for _, k := range []string{"ONCRMLEADADD" + id0, "ONCRMLEADADD" + id1, "ONCRMLEADUPDATE" + id0, "ONCRMLEADDELETE" + id1} {
		if got[k] != 1 {
			t.Errorf("%s came %d times: %v", k, got[k], got)
		}
	}
	s := b.Stats()
	if s.CallbacksSent != 4 || s.CallbacksPending != 0 || len(b.Callbacks()) != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestLostCallbacksNeverCome(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 50, NoLimits: true}), receive(t)
	b.bind(t, r)
	b.SetFaults(emulator.Faults{Lose: 1})
	b.MassEdit(20)
	b.SetFaults(emulator.Faults{Repeat: 1})
	b.MassEdit(10)
	if got := len(b.drain(t, r)); got != 20 {
		t.Errorf("%d callbacks, want 10 twice", got)
	}
	if s := b.Stats(); s.CallbacksLost != 20 || s.CallbacksSent != 20 {
		t.Errorf("stats %+v", s)
	}
}

func TestFailedCallbacksAreNotRepeated(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.OutgoingWebhook("http://127.0.0.1:1/nobody")
	b.Add(3)
	b.drain(t, &receiver{})
	for _, cb := range b.Callbacks() {
		if cb.Status != 0 || cb.Error == "" || cb.Lead == nil {
			t.Errorf("%+v", cb)
		}
	}
	if s := b.Stats(); s.CallbacksFailed != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestOutgoingWebhookHasNoTokens(t *testing.T) {
	b, r := start(t, emulator.Config{}), receive(t)
	b.OutgoingWebhook(r.URL + "/hook")
	b.Add(1)
	f := b.drain(t, r)[0]
	if f.Get("auth[application_token]") != b.info.WebhookApplicationToken || f.Has("auth[access_token]") || f.Has("auth[status]") {
		t.Errorf("%s", f.Get("raw"))
	}
}

func TestSlowHandlersAreServedOneByOne(t *testing.T) {
	var under, most atomic.Int32
	gate := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := under.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			runtime.Gosched()
		}
		<-gate
		under.Add(-1)
	}))
	t.Cleanup(slow.Close)
	b := start(t, emulator.Config{Leads: 60, NoLimits: true, SlowAnswer: 1, Delay: 1, DelayMax: 1, Deliveries: 4})
	b.OutgoingWebhook(slow.URL)
	b.MassEdit(20)
	for most.Load() < 4 {
		runtime.Gosched() // the first four are under way together
	}
	gate <- struct{}{} // one answer, a slow one
	for range 3 {
		gate <- struct{}{}
	}
	for under.Load() > 1 {
		runtime.Gosched()
	}
	most.Store(0)
	close(gate)
	b.drain(t, &receiver{})
	if got := most.Load(); got != 1 {
		t.Errorf("%d callbacks at a time to a slow handler", got)
	}
	if s := b.Stats(); s.CallbacksSent != 20 {
		t.Errorf("stats %+v", s)
	}
}

func TestBindErrors(t *testing.T) {
	b, r := start(t, emulator.Config{NoLimits: true}), receive(t)
	access := b.bind(t, r)
	for name, c := range map[string]struct {
		form, code, text string
		status           int
	}{
		"unknown event":   {"event=ONNOTHING&handler=http://a.b/", "ERROR_EVENT_NOT_FOUND", "Event not found", 400},
		"no event":        {"handler=http://a.b/", "ERROR_ARGUMENT", "Argument 'EVENT' is null or empty", 400},
		"no handler":      {"event=ONCRMLEADADD", "ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty", 400},
		"no dot":          {"event=ONCRMLEADADD&handler=http://localhost/", "ERROR_WRONG_HANDLER_URL", "Wrong handler URL", 400},
		"not http":        {"event=ONCRMLEADADD&handler=ftp://a.b/", "ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol", 400},
		"a strange type":  {"event=ONCRMLEADADD&event_type=x", "ERROR_ARGUMENT", "Value must be one of {online|offline}", 400},
		"bound already":   {"event=ONCRMLEADADD&handler=" + url.QueryEscape(r.URL+"/h"), "ERROR_CORE", "Unable to set event handler: Handler already binded", 400},
		"offline app one": {"event=ONAPPUPDATE&event_type=offline", "ERROR_ARGUMENT", "Offline event cannot be registered for this event.", 400},
	} {
		t.Run(name, func(t *testing.T) { b.rest(t, access, "event.bind", c.form).wantError(t, c.status, c.code, c.text) })
	}
	b.hook(t, "event.bind", `{"event":"ONCRMLEADADD","handler":"http://a.b/"}`).
		wantError(t, 403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
	if got := b.rest(t, access, "event.get", ""); len(got.rows(t)) != 3 {
		t.Errorf("event.get: %s", got.body)
	}
	got := b.rest(t, access, "event.unbind", "event=ONCRMLEADADD&handler="+url.QueryEscape(r.URL+"/h"))
	if res, _ := got.tree["result"].(map[string]any); res["count"] != 1.0 {
		t.Errorf("unbind: %s", got.body)
	}
}
