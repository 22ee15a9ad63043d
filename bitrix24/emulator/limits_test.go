package emulator_test

import (
	"net/http"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

func TestLeakyBucketRefusesTheFiftyFirst(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b := start(t, emulator.Config{Now: func() time.Time { return now }})
	call := func() int { return b.hook(t, "server.time", "").status }
	for i := range 50 {
		if got := call(); got != http.StatusOK {
			t.Fatalf("request %d: %d", i+1, got)
		}
	}
	b.hook(t, "server.time", "").wantError(t, 503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
	b.Advance(time.Second) // two leak out
	if a, c, d := call(), call(), call(); a != 200 || c != 200 || d != 503 {
		t.Errorf("after a second: %d %d %d", a, c, d)
	}
	if s := b.Stats(); s.Refusals["QUERY_LIMIT_EXCEEDED"] != 2 || s.Requests["server.time"] != 54 {
		t.Errorf("stats %+v", s)
	}
}

func TestOperatingTimeBlocksTheMethodAlone(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b := start(t, emulator.Config{
		Leads: 1, Now: func() time.Time { return now },
		PageCost: 10 * time.Second, OperatingLimit: 25 * time.Second,
	})
	for range 3 { // the third crosses the limit and is finished
		r := b.hook(t, "crm.lead.list", "")
		if r.status != http.StatusOK {
			t.Fatalf("%s", r.body)
		}
		b.Advance(time.Minute)
	}
	block, _ := b.hook(t, "server.time", "").tree["time"].(map[string]any)
	if block["operating"] != 0.002 {
		t.Errorf("time of another method: %v", block)
	}
	b.hook(t, "crm.lead.list", "").wantError(t, 429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
	r := b.hook(t, "batch", `{"cmd":{"a":"crm.lead.list","b":"crm.lead.fields"}}`)
	errs, _ := r.part(t, "result_error").(map[string]any)
	one, _ := errs["a"].(map[string]any)
	if one["error"] != "OPERATION_TIME_LIMIT" || len(errs) != 1 {
		t.Errorf("inside a batch: %s", r.body)
	}
	b.Advance(7 * time.Minute) // ten minutes after the first call: its basket is freed, no other
	r = b.hook(t, "crm.lead.list", "")
	block, _ = r.tree["time"].(map[string]any)
	if r.status != http.StatusOK || block["operating"] != 30.0 ||
		block["operating_reset_at"] != float64(now.Add(11*time.Minute).Unix()) {
		t.Errorf("after ten minutes: %s", r.body)
	}
	if s := b.Stats(); s.Refusals["OPERATION_TIME_LIMIT"] != 2 || s.Commands["crm.lead.list"] != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestBatchBilling(t *testing.T) {
	batch := `{"cmd":{"a":"crm.lead.list","b":"crm.lead.list"}}`
	for bill, want := range map[bool]map[string]any{
		false: {"batch": nil, "crm.lead.list": 8.0},
		true:  {"batch": 4.0, "crm.lead.list": nil}, // half weight
	} {
		b := start(t, emulator.Config{Leads: 1, PageCost: 4 * time.Second, Switches: emulator.Switches{BillBatch: bill}})
		b.hook(t, "batch", batch)
		used, _ := b.control(t, "GET", "state", "").tree["operating"].(map[string]any)
		for method, seconds := range want {
			if got := used[method]; got != seconds && !(seconds == nil && got == 0.0) {
				t.Errorf("bill batch %t: %s %v, want %v", bill, method, got, seconds)
			}
		}
	}
}

func TestEnterpriseBucket(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b := start(t, emulator.Config{Enterprise: true, Now: func() time.Time { return now }})
	for i := range 250 {
		if r := b.hook(t, "server.time", ""); r.status != http.StatusOK {
			t.Fatalf("request %d: %d", i+1, r.status)
		}
	}
	if r := b.hook(t, "server.time", ""); r.status != http.StatusServiceUnavailable {
		t.Errorf("request 251: %d", r.status)
	}
}

func TestNoLimits(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true, PageCost: 2 * time.Second, OperatingLimit: time.Second})
	for i := range 60 {
		if r := b.hook(t, "crm.lead.list", ""); r.status != http.StatusOK {
			t.Fatalf("request %d: %d", i+1, r.status)
		}
	}
}
