package emulator_test

import (
	"net/http"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

const twoCommands = `{"cmd":{"a":"crm.lead.get?id=1","b":"profile"}}`

// commandErrors are the codes in result_error of twoCommands, by command.
func (b *harness) commandErrors(t *testing.T) map[string]string {
	t.Helper()
	r := b.hook(t, "batch", twoCommands)
	result, _ := r.tree["result"].(map[string]any)
	if r.status != http.StatusOK || result == nil {
		t.Fatalf("batch: %d %s", r.status, r.body)
	}
	codes := map[string]string{}
	all, _ := result["result_error"].(map[string]any)
	for key, v := range all {
		one, _ := v.(map[string]any)
		codes[key], _ = one["error"].(string)
	}
	return codes
}

func TestScopeTakenAway(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	token, _ := b.authorize(t)
	b.SetFaults(emulator.Faults{ScopeTaken: "crm"})
	if got := b.commandErrors(t); len(got) != 1 || got["a"] != "insufficient_scope" {
		t.Errorf("in a batch: %v", got)
	}
	b.hook(t, "crm.lead.get", `{"id":1}`).wantError(t, 403, "insufficient_scope", "The request requires higher privileges than provided by the webhook token")
	b.rest(t, token, "crm.lead.get", "id=1").wantError(t, 403, "insufficient_scope", "The request requires higher privileges than provided by the access token")
	if r := b.hook(t, "scope", ""); string(r.body[:30]) != `{"result":["user","department"` {
		t.Errorf("scope: %s", r.body)
	}
	b.SetFaults(emulator.Faults{})
	if got := b.commandErrors(t); len(got) != 0 {
		t.Errorf("given back: %v", got)
	}
}

func TestEveryCommandIsRefused(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	for _, code := range emulator.FaultChoices()["refuse_commands"] {
		b.SetFaults(emulator.Faults{RefuseCommands: code})
		if got := b.commandErrors(t); got["a"] != code || got["b"] != code {
			t.Errorf("%s in a batch: %v", code, got)
		}
		if r := b.hook(t, "profile", ""); r.tree["error"] != code || r.status < 400 {
			t.Errorf("%s alone: %d %s", code, r.status, r.body)
		}
	}
	b.SetFaults(emulator.Faults{})
	if got := b.commandErrors(t); len(got) != 0 {
		t.Errorf("afterwards: %v", got)
	}
}

func TestTariffEndedInsideAndOutside(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	b.SetFaults(emulator.Faults{Refuse: "ACCESS_DENIED"})
	b.hook(t, "batch", twoCommands).wantError(t, 403, "ACCESS_DENIED", "REST API is available only on commercial plans")
	b.SetFaults(emulator.Faults{RefuseCommands: "ACCESS_DENIED"})
	if r := b.hook(t, "batch", twoCommands); strings.Count(string(r.body), "REST API is available only on commercial plans") != 2 {
		t.Errorf("inside: %s", r.body)
	}
}

func TestLimitsOfTheNextBatches(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	b.control(t, "PUT", "faults", `{"query_limit_batches":2,"operating_limit_batches":1}`)
	for _, code := range []string{"QUERY_LIMIT_EXCEEDED", "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT", ""} {
		if r := b.hook(t, "profile", ""); r.status != http.StatusOK {
			t.Errorf("a single call: %d", r.status)
		}
		if got := b.commandErrors(t); got["a"] != code || got["b"] != code {
			t.Errorf("want %q, got %v", code, got)
		}
	}
	if f := b.Faults(); f.QueryLimitBatches != 0 || f.OperatingLimitBatches != 0 {
		t.Errorf("left: %+v", f)
	}
	if n := b.Stats().Refusals["QUERY_LIMIT_EXCEEDED"]; n != 4 {
		t.Errorf("%d refusals counted", n)
	}
}

func TestACommandFailsInside(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	for rate, want := range map[float64]int{1: 2, 0: 0} {
		b.SetFaults(emulator.Faults{CommandError: rate})
		if got := b.commandErrors(t); len(got) != want {
			t.Errorf("rate %v: %v", rate, got)
		}
	}
}
