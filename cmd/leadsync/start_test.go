package main

import (
	"flag"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
)

var (
	starts       = flag.Int("starts", 2, "how often TestStartTakesCallbacksAtOnce starts the service")
	startProgram = flag.String("starts-program", "", "the leadsync that it starts; otherwise this test's binary")
)

// A service that starts on a used data directory, after kill -9 as well, answers the first callback that reaches its port
// with 200, and the row follows. How long that takes is logged, and fails nothing.
func TestStartTakesCallbacksAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t, true)
	h.install()
	h.serve.program = *startProgram
	id, _ := h.portal.RandomID()
	info := h.portal.Info()
	took := map[string][]time.Duration{}
	for n := range *starts {
		end, how := h.serve.stop, "a stop"
		if n%2 == 1 {
			end, how = h.serve.kill, "kill -9"
		}
		end()
		title := "while it is down, " + strconv.Itoa(n)
		if err := h.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
			t.Fatal(err)
		}
		body := url.Values{
			"event": {"ONCRMLEADUPDATE"}, "ts": {strconv.FormatInt(time.Now().Unix(), 10)}, "data[FIELDS][ID]": {strconv.FormatInt(id, 10)},
			"auth[member_id]": {info.MemberID}, "auth[application_token]": {info.ApplicationToken}, "auth[domain]": {host(info.Portal)},
		}.Encode()
		h.serve.start()
		began := time.Now()
		if status := h.firstAnswer(body); status != http.StatusOK {
			t.Errorf("after %s the first callback is answered %d", how, status)
		}
		took[how] = append(took[how], time.Since(began))
		h.until("the row follows", func() bool {
			card, ok, err := h.db.Card(t.Context(), leads.Ref{MemberID: info.MemberID, LeadID: id})
			return err == nil && ok && card.Title == title
		})
	}
	for how, all := range took {
		slices.Sort(all)
		t.Logf("%d starts after %s: the first callback answered 200 after p50 %s, max %s", len(all), how, all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
	}
}

// firstAnswer sends a callback until the service's port accepts it.
func (h *harness) firstAnswer(body string) (status int) {
	h.t.Helper()
	for !h.serve.exited() {
		response, err := http.Post(h.url+"/bitrix24/events", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err == nil {
			_ = response.Body.Close()
			return response.StatusCode
		}
		time.Sleep(time.Millisecond) // finer than until: it is measured
	}
	h.t.Fatal("the service has ended")
	return 0
}
