package emulator_test

import (
	"net/url"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

// queue is what event.offline.get answers.
func (r reply) queue(tb testing.TB) (process string, events []map[string]any) {
	tb.Helper()
	result, ok := r.tree["result"].(map[string]any)
	if !ok {
		tb.Fatalf("no queue: %s", r.body)
	}
	process, _ = result["process_id"].(string)
	all, ok := result["events"].([]any)
	if !ok {
		tb.Fatalf("no events: %s", r.body)
	}
	for _, e := range all {
		event, _ := e.(map[string]any)
		events = append(events, event)
	}
	return process, events
}

func offline(t *testing.T, cfg emulator.Config) (b *harness, token string) {
	t.Helper()
	cfg.NoLimits = true
	b = start(t, cfg)
	token, _ = b.authorize(t)
	for _, e := range []string{"ONCRMLEADADD", "ONCRMLEADUPDATE"} {
		if r := b.rest(t, token, "event.bind", "event="+e+"&event_type=offline"); r.tree["result"] != true {
			t.Fatalf("bind: %s", r.body)
		}
	}
	return b, token
}

func TestOfflineEventsCoalesceUntilTheyAreReserved(t *testing.T) {
	b, token := offline(t, emulator.Config{Leads: 2})
	id, _ := b.RandomID()
	edit := func() {
		if err := b.Edit(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	edit()
	edit()
	process, events := b.rest(t, token, "event.offline.get", "clear=0").queue(t)
	if len(events) != 1 || len(process) != 32 {
		t.Fatalf("process %q, %d events", process, len(events))
	}
	if _, others := b.rest(t, token, "event.offline.get", "clear=0").queue(t); len(others) != 0 {
		t.Errorf("reserved events were given out again: %v", others)
	}
	edit() // the record is reserved: a new one
	_, again := b.rest(t, token, "event.offline.get", "clear=0&process_id="+process).queue(t)
	if len(again) != 1 || again[0]["ID"] != events[0]["ID"] {
		t.Errorf("reading the batch again: %v", again)
	}
	if r := b.rest(t, token, "event.offline.clear", "process_id="+process); r.tree["result"] != true {
		t.Errorf("clear: %s", r.body)
	}
	_, rest := b.rest(t, token, "event.offline.get", "").queue(t)
	if len(rest) != 1 || rest[0]["ID"] == events[0]["ID"] || rest[0]["MESSAGE_ID"] != events[0]["MESSAGE_ID"] {
		t.Errorf("what came after the reservation: %v", rest)
	}
	if _, none := b.rest(t, token, "event.offline.get", "").queue(t); len(none) != 0 {
		t.Errorf("get with clear=1 left %v", none)
	}
}

func TestOfflineErrorsAreReleasedAndMarked(t *testing.T) {
	b, token := offline(t, emulator.Config{})
	b.Add(2)
	process, events := b.rest(t, token, "event.offline.get", "clear=0").queue(t)
	message, _ := events[0]["MESSAGE_ID"].(string)
	b.rest(t, token, "event.offline.error", "process_id="+process+"&message_id[]="+message)
	if _, good := b.rest(t, token, "event.offline.get", "clear=0").queue(t); len(good) != 0 {
		t.Errorf("without error=1: %v", good)
	}
	if _, bad := b.rest(t, token, "event.offline.get", "clear=0&error=1").queue(t); len(bad) != 1 || bad[0]["MESSAGE_ID"] != message {
		t.Errorf("with error=1: %v", bad)
	}
}

func TestOfflineReservationEndsAfterThirtyDays(t *testing.T) {
	b, token := offline(t, emulator.Config{AccessLife: 1000 * time.Hour})
	b.Add(1)
	process, _ := b.rest(t, token, "event.offline.get", "clear=0").queue(t)
	b.Advance(31 * 24 * time.Hour)
	if _, events := b.rest(t, token, "event.offline.get", "clear=0&process_id="+process).queue(t); len(events) != 0 {
		t.Errorf("%v", events)
	}
}

func TestOfflineListFiltersAndPages(t *testing.T) {
	b, token := offline(t, emulator.Config{})
	b.Add(120)
	r := b.rest(t, token, "event.offline.list", "start=50&order[ID]=DESC")
	if rows := r.rows(t); len(rows) != 50 || rows[0]["ID"] != "70" || r.tree["next"] != 100.0 || r.tree["total"] != 120.0 {
		t.Errorf("%.300s", r.body)
	}
	r = b.rest(t, token, "event.offline.list", "filter[%3E%3DID]=5&filter[<ID]=9&filter[%25EVENT_NAME]=leadadd")
	if rows := r.rows(t); len(rows) != 4 || rows[0]["PROCESS_ID"] != "" || rows[0]["ERROR"] != "0" {
		t.Errorf("%s", r.body)
	}
	if _, some := b.rest(t, token, "event.offline.get", "limit=3&order[ID]=DESC").queue(t); len(some) != 3 || some[0]["ID"] != "120" {
		t.Errorf("limit: %v", some)
	}
	b.rest(t, token, "event.offline.clear", "process_id=")
	if rows := b.rest(t, token, "event.offline.list", "").rows(t); len(rows) != 0 {
		t.Errorf("an empty process id clears all that is not reserved, left: %d", len(rows))
	}
}

func TestOfflineRefusals(t *testing.T) {
	b, token := offline(t, emulator.Config{Switches: emulator.Switches{NoOfflineExtended: true, NoAuthConnector: true}})
	for name, c := range map[string]struct {
		form, code, text string
		status           int
	}{
		"limit":        {"limit=0", "ERROR_ARGUMENT", "Value must be positive integer", 400},
		"field":        {"filter[PROCESS_ID]=1", "ERROR_ARGUMENT", "Filter field not allowed: PROCESS_ID", 400},
		"operation":    {"filter[!ID]=1", "ERROR_ARGUMENT", "Filter operation not allowed: !", 400},
		"type":         {"filter[ID][]=1", "ERROR_ARGUMENT", "The value of an argument 'ID' has an invalid type", 400},
		"filter":       {"filter=1", "ERROR_ARGUMENT", "The filter is not an array.", 400},
		"order":        {"order=1", "ERROR_ARGUMENT", "The order is not an array.", 400},
		"order field":  {"order[X]=ASC", "ERROR_ARGUMENT", "Order field not allowed: X", 400},
		"direction":    {"order[ID]=UP", "ERROR_ARGUMENT", "Order direction should be one of {ASC|DESC}", 400},
		"reserve plan": {"clear=0", "WRONG_LICENSE", "This feature is not enabled for the current license: extended offline events handling", 403},
		"source plan":  {"auth_connector=x", "WRONG_LICENSE", "This feature is not enabled for the current license: auth_connector", 403},
	} {
		t.Run(name, func(t *testing.T) {
			b.rest(t, token, "event.offline.get", c.form).wantError(t, c.status, c.code, c.text)
		})
	}
	b.hook(t, "event.offline.get", "").wantError(t, 403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
	for _, code := range []string{"rest_offline_extended", "rest_auth_connector"} {
		r := b.hook(t, "feature.get", `{"CODE":"`+code+`"}`)
		if result, _ := r.tree["result"].(map[string]any); result["value"] != "N" {
			t.Errorf("%s: %s", code, r.body)
		}
	}
}

func TestQueuesLeaveOutTheirOwnWrites(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	token, _ := b.authorize(t)
	b.rest(t, token, "event.bind", "event=ONCRMLEADADD&event_type=offline&auth_connector=us")
	b.rest(t, token, "crm.lead.add", "auth_connector=us")
	b.rest(t, token, "crm.lead.add", "auth_connector=them")
	if _, none := b.rest(t, token, "event.offline.get", "").queue(t); len(none) != 0 {
		t.Errorf("without the key: %v", none)
	}
	if _, events := b.rest(t, token, "event.offline.get", "auth_connector=us").queue(t); len(events) != 1 {
		t.Errorf("with the key: %v", events)
	}
}

func TestOfflineSignalsKeepTheirInterval(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b, token := offline(t, emulator.Config{Now: func() time.Time { return now }})
	r := receive(t)
	b.rest(t, token, "event.bind", "event=ONOFFLINEEVENT&options[minTimeout]=5&handler="+url.QueryEscape(r.URL))
	b.Add(3)
	b.Advance(5 * time.Second)
	b.Add(1)
	forms := b.drain(t, r)
	if len(forms) != 2 || forms[0].Get("auth[refresh_token]") == "" || forms[0].Has("data") {
		t.Errorf("%d signals: %v", len(forms), forms)
	}
}
