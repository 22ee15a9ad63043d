package bitrix24_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

// queued binds offline events and returns the queue.
func queued(t *testing.T, cfg emulator.Config) (*emulator.Portal, *bitrix24.Client, *bitrix24.OfflineQueue) {
	t.Helper()
	p, client, _ := installed(t, cfg)
	if _, err := client.Events().BindOffline(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	q, err := client.Events().OfflineQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, client, q
}

// drain reads the queue to its end as a pass does, and counts the leads' events.
func drain(t *testing.T, q *bitrix24.OfflineQueue) map[int64]int {
	t.Helper()
	seen := map[int64]int{}
	for done := (leads.OfflineBatch{}); ; {
		batch, err := q.Next(t.Context(), done)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Messages) == 0 {
			return seen
		}
		for _, e := range batch.Events {
			seen[e.LeadID]++
		}
		done = batch
	}
}

func once(ids []int64) map[int64]int {
	seen := map[int64]int{}
	for _, id := range ids {
		seen[id] = 1
	}
	return seen
}

func TestTheOfflineQueueIsReadOnce(t *testing.T) {
	for name, c := range map[string]struct {
		switches emulator.Switches
		reserves bool
	}{
		"reserved":        {reserves: true},
		"few at a time":   {switches: emulator.Switches{FewOffline: true}, reserves: true},
		"deleted at once": {switches: emulator.Switches{NoOfflineExtended: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p, client, q := queued(t, emulator.Config{Switches: c.switches})
			if q.Reserves() != c.reserves {
				t.Errorf("reserves: %v", q.Reserves())
			}
			added := p.Add(120)
			for range 3 { // one event, however often
				if err := p.Edit(added[7], nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Delete(added[9]); err != nil {
				t.Fatal(err)
			}
			want := once(added)
			want[added[7]], want[added[9]] = 2, 2
			if diff := cmp.Diff(want, drain(t, q)); diff != "" {
				t.Errorf("events by lead (-want +got):\n%s", diff)
			}
			if again := drain(t, q); len(again) != 0 {
				t.Errorf("came again: %v", again)
			}
			if left, err := q.Reserved(t.Context()); err != nil || len(left) != 0 {
				t.Errorf("still reserved: %v, %v", left, err)
			}
			if n := p.Stats().Commands["event.offline.clear"]; (n > 0) != c.reserves {
				t.Errorf("%d clears", n)
			}
			bound, err := client.Events().Bindings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if more, err := client.Events().BindOffline(t.Context(), bound, ""); err != nil || len(more) != 0 {
				t.Errorf("bound again: %v, %v", more, err)
			}
		})
	}
}

// The events that a process reserved before it died are found by their process id.
func TestReservedEventsAreFoundAgain(t *testing.T) {
	p, _, q := queued(t, emulator.Config{})
	added := p.Add(3)
	if _, err := q.Next(t.Context(), leads.OfflineBatch{}); err != nil {
		t.Fatal(err)
	}
	if none := drain(t, q); len(none) != 0 {
		t.Errorf("reserved events were given out again: %v", none)
	}
	names, err := q.Reserved(t.Context())
	if err != nil || len(names) != 1 {
		t.Fatalf("reserved as %v, %v", names, err)
	}
	batch, err := q.Again(t.Context(), names[0])
	if err != nil || len(batch.Events) != len(added) || batch.Process != names[0] {
		t.Fatalf("%+v, %v", batch, err)
	}
	if err := q.Clear(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if names, err = q.Reserved(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("reserved as %v, %v", names, err)
	}
}

// Clearing without a process id deletes events that nobody has read (docs/bitrix24.md 2.6).
func TestNothingIsClearedWithoutAProcessID(t *testing.T) {
	p, _, q := queued(t, emulator.Config{})
	added := p.Add(2)
	for _, done := range []leads.OfflineBatch{{}, {Messages: []string{"x"}}, {Process: "nobody's"}} {
		if err := q.Clear(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.Stats().Requests["event.offline.clear"] + p.Stats().Commands["event.offline.clear"]; n != 0 {
		t.Errorf("cleared %d times", n)
	}
	if diff := cmp.Diff(once(added), drain(t, q)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A binding with a connector has a queue of its own, which is empty if it is read without
// the connector: it does not replace ours.
func TestBindingsWithAConnectorAreNotOurs(t *testing.T) {
	p, client, _ := installed(t, emulator.Config{})
	for _, event := range []bitrix24.Event{bitrix24.LeadAdd, bitrix24.LeadUpdate, bitrix24.LeadDelete} {
		if _, err := client.Call(t.Context(), "event.bind", bitrix24.Params{"event": event, "event_type": "offline", "auth_connector": "them"}); err != nil {
			t.Fatal(err)
		}
	}
	bound, err := client.Events().Bindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	added, err := client.Events().BindOffline(t.Context(), bound, "")
	if err != nil || len(added) != 3 {
		t.Errorf("bound %v, %v", added, err)
	}
	q, err := client.Events().OfflineQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once(p.Add(2)), drain(t, q)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// offlineAnswer is a portal whose offline queue gives one answer. sent gets every command of
// its batches.
func offlineAnswer(t *testing.T, result string) (q *bitrix24.OfflineQueue, sent *[]string) {
	t.Helper()
	sent = &[]string{}
	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{Transport: roundTripFunc(func(r *http.Request) *http.Response {
			var asked struct{ Cmd map[string]string }
			_ = json.Unmarshal([]byte(readBody(r)), &asked)
			for _, cmd := range asked.Cmd {
				*sent = append(*sent, cmd)
			}
			switch {
			case asked.Cmd != nil:
				return emulatortest.Response(200, `{"result":{"result":{"clear":true,"get":`+result+`},"result_error":[]},"time":{}}`)
			case strings.HasSuffix(r.URL.Path, "feature.get"):
				return emulatortest.Response(200, `{"result":{"value":"Y"}}`)
			default:
				return emulatortest.Response(200, `{"result":`+result+`}`)
			}
		})},
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	q, err := client.Events().OfflineQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q, sent
}

const (
	offlineRow   = `{"TIMESTAMP_X":"2026-11-26T10:00:00+03:00","EVENT_NAME":"ONCRMLEADUPDATE","EVENT_DATA":{"FIELDS":{"ID":"9"}},"MESSAGE_ID":"m9"}`
	offlineOther = `{"EVENT_NAME":"OnCrmLeadAdd","EVENT_DATA":{"FIELDS":{"ID":8}},"MESSAGE_ID":"m8"}`
)

func TestAnOfflineQueueThatCannotBeReadIsNotEmpty(t *testing.T) {
	for _, result := range []string{
		`null`, `false`, `true`, `""`, `[]`, `{}`, `7`, `{"process_id":"p"}`, `{"process_id":"p","events":null}`,
		`{"process_id":"p","events":false}`, `{"process_id":"p","events":"` + `none"}`, `{"process_id":"p","events":{"a":` + offlineRow + `}}`,
		`{"process_id":["p"],"events":[` + offlineRow + `]}`, `[` + offlineRow + `]`,
	} {
		q, sent := offlineAnswer(t, result)
		batch, err := q.Next(t.Context(), leads.OfflineBatch{})
		if err == nil || !strings.Contains(err.Error(), "event.offline.get") || len(batch.Messages) != 0 {
			t.Errorf("%s was read as %+v, %v", result, batch, err)
		}
		if batch, err := q.Again(t.Context(), "p"); err == nil {
			t.Errorf("%s was read again as %+v", result, batch)
		}
		if names, err := q.Reserved(t.Context()); err == nil && result != "[]" && result != "{}" && result != "["+offlineRow+"]" {
			t.Errorf("%s as a list: reserved %v", result, names)
		}
		if slices.ContainsFunc(*sent, func(cmd string) bool { return strings.HasPrefix(cmd, "event.offline.clear") }) {
			t.Errorf("%s: cleared by %v", result, *sent)
		}
	}
}

func TestOfflineEventsComeInPHPsShapes(t *testing.T) {
	for _, events := range []string{
		`[` + offlineOther + `,` + offlineRow + `]`, `{"0":` + offlineOther + `,"1":` + offlineRow + `}`, `{"7":` + offlineRow + `,"3":` + offlineOther + `}`,
	} {
		q, _ := offlineAnswer(t, `{"process_id":"p","events":`+events+`}`)
		batch, err := q.Next(t.Context(), leads.OfflineBatch{})
		want := leads.OfflineBatch{Process: "p", Messages: []string{"m8", "m9"}, Events: []leads.OfflineEvent{
			{LeadID: 8, Event: "ONCRMLEADADD"}, {LeadID: 9, Event: "ONCRMLEADUPDATE", At: time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)},
		}}
		for i := range batch.Events {
			batch.Events[i].At = batch.Events[i].At.UTC()
		}
		if diff := cmp.Diff(want, batch); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", events, err, diff)
		}
	}
	for _, none := range []string{`[]`, `{}`} {
		q, _ := offlineAnswer(t, `{"process_id":null,"events":`+none+`}`)
		if batch, err := q.Next(t.Context(), leads.OfflineBatch{}); err != nil || len(batch.Messages) != 0 || !q.Reserves() {
			t.Errorf("%s: %+v, %v", none, batch, err)
		}
	}
}

// What cannot be read stays in the queue, and what can be read is taken all the same.
func TestOnlyOfflineEventsThatWereReadAreCleared(t *testing.T) {
	for name, odd := range map[string]string{
		"no row": `"x"`, "nothing": `null`, "no name": `{"EVENT_DATA":{"FIELDS":{"ID":"5"}},"MESSAGE_ID":"m5"}`,
		"no id":    `{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":{"FIELDS":{"NO":"5"}},"MESSAGE_ID":"m5"}`,
		"odd id":   `{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":{"FIELDS":{"ID":"x5"}},"MESSAGE_ID":"m5"}`,
		"odd data": `{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":["FIELDS"],"MESSAGE_ID":"m5"}`,
	} {
		t.Run(name, func(t *testing.T) {
			q, sent := offlineAnswer(t, `{"process_id":"p","events":[`+odd+`,`+offlineRow+`]}`)
			batch, err := q.Next(t.Context(), leads.OfflineBatch{})
			if err != nil || !slices.Equal(batch.Messages, []string{"m9"}) || len(batch.Events) != 1 {
				t.Fatalf("%+v, %v", batch, err)
			}
			if err := q.Clear(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if last := (*sent)[len(*sent)-1]; last != "event.offline.clear?message_id%5B0%5D=m9&process_id=p" {
				t.Errorf("cleared by %s", last)
			}
			q, sent = offlineAnswer(t, `{"process_id":"p","events":[`+odd+`]}`)
			if batch, err := q.Next(t.Context(), leads.OfflineBatch{}); err == nil || !strings.Contains(err.Error(), "none of the events can be read") {
				t.Errorf("alone it was read as %+v, %v", batch, err)
			}
			// Whoever looks for what was left behind gets nothing that may be cleared.
			batch, err = q.Again(t.Context(), "p")
			if err == nil {
				err = q.Clear(t.Context(), batch)
			}
			if err != nil || len(batch.Messages) != 0 || len(*sent) != 1 {
				t.Errorf("left behind: %+v, %v, sent %v", batch, err, *sent)
			}
		})
	}
}

// A list without a message would clear the whole batch (docs/bitrix24.md 2.6.7).
func TestEventsWithoutAMessageIDAreTakenAndNotCleared(t *testing.T) {
	q, sent := offlineAnswer(t, `{"process_id":"p","events":[{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":{"FIELDS":{"ID":"5"}}},{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":false}]}`)
	batch, err := q.Next(t.Context(), leads.OfflineBatch{})
	if err != nil || len(batch.Messages) != 2 || len(batch.Events) != 1 || batch.Events[0].LeadID != 5 {
		t.Fatalf("%+v, %v", batch, err)
	}
	for _, done := range []leads.OfflineBatch{batch, {Process: "p"}} {
		if _, err := q.Next(t.Context(), done); err != nil {
			t.Fatal(err)
		}
		if err := q.Clear(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range *sent {
		if strings.HasPrefix(cmd, "event.offline.clear") {
			t.Errorf("sent %s", cmd)
		}
	}
}

func TestARefusedClearIsAnError(t *testing.T) {
	p, _, q := queued(t, emulator.Config{})
	p.Add(1)
	batch, err := q.Next(t.Context(), leads.OfflineBatch{})
	if err != nil {
		t.Fatal(err)
	}
	p.SetFaults(emulator.Faults{RefuseCommands: "WRONG_AUTH_TYPE"})
	if err := q.Clear(t.Context(), batch); !errors.Is(err, leads.ErrRefused) || !strings.Contains(err.Error(), "clear reserved offline events") {
		t.Errorf("cleared: %v", err)
	}
	if _, err := q.Next(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "event.offline.clear") {
		t.Errorf("cleared and read on: %v", err)
	}
}

func TestBindingOfflineMayBeRefused(t *testing.T) {
	p, client, _ := installed(t, emulator.Config{Switches: emulator.Switches{NoOffline: true}})
	if _, err := client.Events().BindOffline(t.Context(), nil, ""); !errors.Is(err, leads.ErrRefused) {
		t.Errorf("no administrator: %v", err)
	}
	hook := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(p.Info().Webhook)})
	if _, err := hook.Events().BindOffline(t.Context(), nil, ""); !errors.Is(err, leads.ErrRefused) {
		t.Errorf("a webhook: %v", err)
	}
}

func TestUnbindTakesTheQueueAway(t *testing.T) {
	_, client, _ := installed(t, emulator.Config{})
	const handler = "http://127.0.0.1:1/bitrix24/events"
	if _, _, err := client.Events().Bind(t.Context(), handler); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Events().BindOffline(t.Context(), nil, handler); err != nil {
		t.Fatal(err)
	}
	if err := client.Events().Unbind(t.Context(), handler); err != nil {
		t.Fatal(err)
	}
	left, err := client.Events().Bindings(t.Context())
	if err != nil || slices.ContainsFunc(left, func(b bitrix24.Binding) bool { return b.Handler == handler || b.Offline }) {
		t.Errorf("still bound: %v, %v", left, err)
	}
}

// Some portals say that they can reserve events, and then refuse to.
func TestARefusedReservationIsAccepted(t *testing.T) {
	h := emulatortest.New(t, emulator.Config{NoLimits: true, Switches: emulator.Switches{NoOfflineExtended: true}})
	grant := h.Install(t)
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		if strings.HasSuffix(r.URL.Path, "feature.get") {
			return emulatortest.Response(http.StatusOK, `{"result":{"value":"Y"}}`)
		}
		return nil
	})
	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", HTTP: h.HTTP(), Tokens: fixedToken(grant.AccessToken),
	})
	if _, err := client.Events().BindOffline(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	q, err := client.Events().OfflineQueue(t.Context())
	if err != nil || !q.Reserves() {
		t.Fatalf("reserves: %v, %v", q.Reserves(), err)
	}
	added := h.Portal.Add(3)
	if diff := cmp.Diff(once(added), drain(t, q)); diff != "" || q.Reserves() {
		t.Errorf("reserves: %v; (-want +got):\n%s", q.Reserves(), diff)
	}
}

// fixedToken is an access token that is never refreshed.
type fixedToken leads.Secret

func (k fixedToken) Token(context.Context) (leads.Secret, error) { return leads.Secret(k), nil }

func (k fixedToken) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

func (k fixedToken) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }
