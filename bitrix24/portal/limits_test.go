package portal_test

import (
	"net/http"
	"testing"
	"time"

	"leadsync/bitrix24/portal"
)

func TestLeakyBucketRefusesTheFiftyFirst(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b := start(t, portal.Config{Now: func() time.Time { return now }})
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
	b := start(t, portal.Config{
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
