package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

// install saves the form by POST /_portal/install.
func (b *harness) install(tb testing.TB, eventsURL string) reply {
	tb.Helper()
	return b.do(tb, http.MethodPost, b.info.Portal+"/_portal/install", "application/json", `{"events_url":"`+eventsURL+`"}`)
}

// Who installs with curl is told how ONAPPINSTALL was answered, by the status and in a sentence.
func TestInstallSaysWhatTheServiceAnswered(t *testing.T) {
	const again = ". The portal does not send it again: when that is put right, install again"
	b := start(t, emulator.Config{})
	for name, test := range map[string]struct {
		status int // of the service's answer
		text   string
		want   int
		says   string // behind the address of the service
	}{
		"accepted":              {200, "", 200, " accepted ONAPPINSTALL with HTTP 200"},
		"accepted with a text":  {202, "thanks", 200, " accepted ONAPPINSTALL with HTTP 202"},
		"refused":               {403, "", 502, " refused ONAPPINSTALL with HTTP 403 and gave no reason: its log may have one" + again},
		"refused with words":    {503, "{\"error\":\n  \"no database\"}\n", 502, ` refused ONAPPINSTALL with HTTP 503: {"error": "no database"}` + again},
		"refused in a sentence": {503, "It is starting. Try again.\n", 502, " refused ONAPPINSTALL with HTTP 503: It is starting. Try again" + again},
		"refused with a page":   {502, "<html><title>Bad gateway</title></html>", 502, " refused ONAPPINSTALL with HTTP 502 and gave no reason: its log may have one" + again},
		"sent elsewhere":        {301, "", 502, " refused ONAPPINSTALL with HTTP 301 and gave no reason: its log may have one" + again},
	} {
		t.Run(name, func(t *testing.T) {
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.text))
			}))
			defer service.Close()
			r := b.install(t, service.URL)
			key := map[int]string{200: "result", 502: "error"}[test.want]
			if r.status != test.want || r.tree[key] != service.URL+test.says {
				t.Errorf("answered %d %s", r.status, r.body)
			}
			if test.want == 200 && r.tree["member_id"] != b.info.MemberID {
				t.Errorf("the portal's data are missing: %s", r.body)
			}
			if all := b.Callbacks(); all[len(all)-1].Status != test.status {
				t.Errorf("answered before the callback is recorded: %+v", all)
			}
		})
	}
}

// A callback that nobody takes ends the wait, too.
func TestInstallSaysWhyNothingWasDelivered(t *testing.T) {
	silent := make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(service.Close)
	t.Cleanup(func() { close(silent) })
	b := start(t, emulator.Config{HandlerTimeout: 200 * time.Millisecond})
	wantReason := func(name, address string, want ...string) {
		t.Helper()
		r := b.install(t, address)
		reason, _ := r.tree["error"].(string)
		for _, words := range append(want, "ONAPPINSTALL could not be delivered to "+address+": ", "install again") {
			if r.status != http.StatusBadGateway || !strings.Contains(reason, words) {
				t.Errorf("%s: answered %d %s, want %q", name, r.status, r.body, words)
			}
		}
		if strings.Count(reason, address) != 1 {
			t.Errorf("%s: the address is repeated: %s", name, reason)
		}
	}
	wantReason("nobody listens", "http://127.0.0.1:1/bitrix24/events", "refused")
	wantReason("no address", "127.0.0.1:8080/bitrix24/events")
	wantReason("a service that says nothing", service.URL, "exceeded")
	b.SetFaults(emulator.Faults{Lose: 1})
	wantReason("a fault", service.URL, "lost on purpose")
}

// A fault that sends the callback twice, and the wait for a portal that is closed, keep nobody waiting.
func TestInstallWaitsForOneAnswer(t *testing.T) {
	b, r := start(t, emulator.Config{}), receive(t)
	b.SetFaults(emulator.Faults{Repeat: 1, Reorder: 1})
	if got := b.install(t, r.URL); got.status != http.StatusOK {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if got := len(b.drain(t, r)); got != 2 {
		t.Errorf("%d callbacks, want 2", got)
	}
	if got := b.install(t, ""); got.status != http.StatusOK || !strings.Contains(string(got.body), "no ONAPPINSTALL is sent") {
		t.Errorf("without an address: %d %s", got.status, got.body)
	}
	p, err := emulator.New(emulator.Config{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_portal/install", strings.NewReader(`{"events_url":"http://127.0.0.1:1/"}`)))
		answered <- w.Body.String()
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if text := <-answered; !strings.Contains(text, "could not be delivered") {
		t.Errorf("answered %s", text)
	}
}

// Recreate answers with what has to be copied into the service's settings before it can accept anything.
func TestRecreateAnswersWithTheNewApplication(t *testing.T) {
	b := start(t, emulator.Config{})
	r := b.control(t, "POST", "recreate", `{"events_url":"http://127.0.0.1:1/"}`)
	if id := r.tree["client_id"]; id != b.Info().ClientID || id == b.info.ClientID {
		t.Errorf("%s", r.body)
	}
}
