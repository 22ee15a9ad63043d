package emulator_test

import (
	"fmt"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// part is one part of a batch's result: a map, or a list where PHP makes it one.
func (r reply) part(tb testing.TB, name string) any {
	tb.Helper()
	result, ok := r.tree["result"].(map[string]any)
	if !ok {
		tb.Fatalf("no batch result: %s", r.body)
	}
	return result[name]
}

func TestBatchShapes(t *testing.T) {
	b := start(t, emulator.Config{Leads: 3})
	r := b.hook(t, "batch", `{"cmd":{"0":"crm.lead.get?id=0","1":"crm.lead.get?id=999999","a":"crm.lead.list?start=-1&select[0]=ID"}}`)
	if errs, ok := r.part(t, "result_error").([]any); !ok || len(errs) != 2 {
		t.Errorf("errors 0 and 1 are not a list: %s", r.body)
	}
	if res, ok := r.part(t, "result").(map[string]any); !ok || len(res) != 1 {
		t.Errorf("result is no object: %s", r.body)
	}
	if next, ok := r.part(t, "result_next").([]any); !ok || len(next) != 0 {
		t.Errorf("an empty map is not []: %s", r.body)
	}
	if total, ok := r.part(t, "result_total").(map[string]any); !ok || total["a"] != 0.0 {
		t.Errorf("total of start=-1: %s", r.body)
	}
}

func TestBatchKeepsTheOrderOfCommands(t *testing.T) {
	b := start(t, emulator.Config{})
	r := b.hook(t, "batch", `{"cmd":{"z":"crm.lead.add?fields[TITLE]=one","a":"crm.lead.add?fields[TITLE]=two","m":"crm.lead.get?id=$result[a]"}}`)
	res, _ := r.part(t, "result").(map[string]any)
	lead, _ := res["m"].(map[string]any)
	if res["z"] != 1.0 || res["a"] != 2.0 || lead["TITLE"] != "two" {
		t.Errorf("%s", r.body)
	}
	if !strings.Contains(string(r.body), `"result":{"z":1,"a":2,"m":{`) {
		t.Errorf("keys are not in the order of cmd: %s", r.body)
	}
}

func TestBatchHalt(t *testing.T) {
	b := start(t, emulator.Config{})
	for halt, ran := range map[string]bool{"0": true, "1": false, "true": false, "false": true} {
		r := b.hook(t, "batch", `{"halt":`+halt+`,"cmd":{"a":"crm.lead.get?id=7","b":"server.time"}}`)
		res, _ := r.part(t, "result").(map[string]any)
		if _, got := res["b"]; got != ran {
			t.Errorf("halt %s: %s", halt, r.body)
		}
	}
}

func TestBatchChainsKeysetPages(t *testing.T) {
	b := start(t, emulator.Config{Leads: 180, Seed: 1})
	cmds := []string{`"p0":"crm.lead.list?order[ID]=ASC&select[0]=ID&start=-1"`}
	for i := 1; i < 4; i++ {
		cmds = append(cmds, fmt.Sprintf(`"p%d":"crm.lead.list?order[ID]=ASC&filter[%%3EID]=$result[p%d][49][ID]&select[0]=ID&start=-1"`, i, i-1))
	}
	r := b.hook(t, "batch", `{"halt":1,"cmd":{`+strings.Join(cmds, ",")+`}}`)
	res, _ := r.part(t, "result").(map[string]any)
	seen := map[any]bool{}
	for i, want := range []int{50, 50, 50, 30} {
		page, _ := res[fmt.Sprintf("p%d", i)].([]any)
		if len(page) != want {
			t.Errorf("page %d has %d rows, want %d", i, len(page), want)
		}
		for _, row := range page {
			lead, _ := row.(map[string]any)
			seen[lead["ID"]] = true
		}
	}
	if len(seen) != 180 {
		t.Errorf("%d different leads", len(seen))
	}
}

func TestBatchReferenceThatCannotBeResolvedStays(t *testing.T) {
	b := start(t, emulator.Config{})
	b.hook(t, "batch", `{"cmd":{"a":"crm.lead.add?fields[TITLE]=see $result[nobody][ID]!"}}`)
	for _, lead := range b.Leads() {
		if !strings.Contains(string(lead), `"see $result[nobody][ID]!"`) {
			t.Errorf("%s", lead)
		}
	}
}

func TestBatchBeyondFiftyAndNested(t *testing.T) {
	b := start(t, emulator.Config{})
	var cmds []string
	for i := range 52 {
		cmds = append(cmds, fmt.Sprintf(`"c%02d":"server.time"`, i))
	}
	r := b.hook(t, "batch", `{"cmd":{`+strings.Join(cmds, ",")+`}}`)
	res, _ := r.part(t, "result").(map[string]any)
	errs, _ := r.part(t, "result_error").(map[string]any)
	one, _ := errs["c51"].(map[string]any)
	if len(res) != 50 || len(errs) != 2 || one["error"] != "ERROR_BATCH_LENGTH_EXCEEDED" {
		t.Errorf("%d results, errors %v", len(res), errs)
	}
	r = b.hook(t, "batch", `{"cmd":{"x":"batch?cmd[a]=server.time"}}`)
	errs, _ = r.part(t, "result_error").(map[string]any)
	one, _ = errs["x"].(map[string]any)
	if one["error"] != "ERROR_BATCH_METHOD_NOT_ALLOWED" {
		t.Errorf("nested: %s", r.body)
	}
}

func TestBatchByFormIsDecodedTwice(t *testing.T) {
	b := start(t, emulator.Config{})
	r := b.do(t, "GET", b.info.Webhook+"batch?cmd%5B0%5D=crm.lead.add%3Ffields%5BTITLE%5D%3DJohn%2526Martin", "", "")
	if res, ok := r.part(t, "result").([]any); !ok || len(res) != 1 {
		t.Fatalf("%s", r.body)
	}
	for _, lead := range b.Leads() {
		if !strings.Contains(string(lead), `"TITLE":"John&Martin"`) {
			t.Errorf("%s", lead)
		}
	}
}
