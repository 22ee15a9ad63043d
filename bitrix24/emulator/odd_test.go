package emulator_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// addLeads adds leads with the ids 1 to n: generated ones have gaps.
func (b *harness) addLeads(t *testing.T, n int) {
	t.Helper()
	for range n {
		b.hook(t, "crm.lead.add", `{"fields":{"TITLE":"lead"}}`)
	}
}

func TestUnencodableLeads(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.addLeads(t, 5)
	calls := func(id int) map[string]string {
		n := strconv.Itoa(id)
		return map[string]string{
			"crm.lead.get": `{"id":` + n + `}`, "crm.lead.list": `{"filter":{"ID":` + n + `},"select":["ID"]}`,
			"batch":        `{"cmd":{"a":"crm.lead.get?id=` + n + `","b":"profile"}}`,
			"crm.item.get": `{"entityTypeId":1,"id":` + n + `}`, "crm.item.list": `{"entityTypeId":1,"filter":{"id":` + n + `}}`,
		}
	}
	for as, spoilt := range map[string]func(body string) bool{
		"": func(s string) bool { return s == "" }, "empty": func(s string) bool { return s == "" },
		"false": func(s string) bool { return s == "false" },
		"cut":   func(s string) bool { return strings.HasPrefix(s, `{"result":`) && !json.Valid([]byte(s)) },
	} {
		b.SetFaults(emulator.Faults{Unencodable: "2, 4", UnencodableAs: as})
		for id := 1; id <= 5; id++ {
			for method, body := range calls(id) {
				r := b.hook(t, method, body)
				if got, want := spoilt(string(r.body)), id == 2 || id == 4; r.status != http.StatusOK || got != want {
					t.Errorf("%q %s of lead %d: %d %.60q", as, method, id, r.status, r.body)
				}
			}
		}
	}
	b.SetFaults(emulator.Faults{})
	if r := b.hook(t, "crm.lead.list", ""); len(r.rows(t)) != 5 || len(truths(t, b.Portal)) != 5 {
		t.Errorf("afterwards: %s", r.body)
	}
}

func TestShareOfUnencodableLeads(t *testing.T) {
	b := start(t, emulator.Config{Leads: 100, Seed: 2, NoLimits: true, Faults: emulator.Faults{UnencodableShare: 0.3}})
	empty := 0
	for id := range 100 {
		if r := b.hook(t, "crm.lead.get", `{"id":`+strconv.Itoa(id+1)+`}`); len(r.body) == 0 {
			empty++
		}
	}
	if empty < 15 || empty > 45 {
		t.Errorf("%d of 100", empty)
	}
}

// sorted are the values of a map with whole-number keys, in the order of the keys.
func sorted(t *testing.T, v any) []any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("no map: %v", v)
	}
	keys := make([]int, 0, len(m))
	for k := range m {
		n, err := strconv.Atoi(k)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, n)
	}
	slices.Sort(keys)
	all := make([]any, 0, len(m))
	for _, k := range keys {
		all = append(all, m[strconv.Itoa(k)])
	}
	return all
}

func TestListsAsMapsWithHoles(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.hook(t, "crm.lead.add", `{"fields":{"PHONE":[{"VALUE":"1"},{"VALUE":"2"}],"UF_CRM_HELLO_WORLD":["a","b","c"]}}`)
	b.hook(t, "crm.lead.add", `{"fields":{"TITLE":"second"}}`)
	get := func() map[string]any {
		lead, _ := b.hook(t, "crm.lead.get", `{"id":1}`).tree["result"].(map[string]any)
		return lead
	}
	plain := get()
	b.SetFaults(emulator.Faults{ContactMaps: 1, CustomMaps: 1})
	odd := get()
	for _, key := range []string{"PHONE", "UF_CRM_HELLO_WORLD"} {
		if got := sorted(t, odd[key]); jsonText(t, got) != jsonText(t, plain[key]) {
			t.Errorf("%s: %v, without the fault %v", key, got, plain[key])
		}
	}
	item := string(b.hook(t, "crm.item.get", `{"entityTypeId":1,"id":1}`).body)
	if !strings.Contains(item, `"fm":{"3":`) || !strings.Contains(item, `"ufCrmHelloWorld":{"3":"b","5":"c","1":"a"}`) {
		t.Errorf("item: %s", item)
	}
	rows := b.hook(t, "crm.lead.list", "").rows(t)
	b.SetFaults(emulator.Faults{ListMaps: 1})
	if got := sorted(t, b.hook(t, "crm.lead.list", "").tree["result"]); len(got) != 2 || jsonText(t, got) != jsonText(t, rows) {
		t.Errorf("list: %v, without the fault %v", got, rows)
	}
	r := b.hook(t, "batch", `{"cmd":["crm.lead.list?select[]=ID","crm.lead.get?id=$result[0][1][ID]"]}`)
	if !strings.HasPrefix(string(r.body), `{"result":{"result":[{"3":{"ID":"2"},"1":{"ID":"1"}},{"ID":"2",`) {
		t.Errorf("list in a batch, with a reference to it: %s", r.body)
	}
	items, _ := b.hook(t, "crm.item.list", `{"entityTypeId":1}`).tree["result"].(map[string]any)
	if got := sorted(t, items["items"]); len(got) != 2 {
		t.Errorf("items: %v", got)
	}
	b.SetFaults(emulator.Faults{BatchMaps: 1})
	r = b.hook(t, "batch", `{"cmd":["server.time","profile","none","none"]}`)
	result, _ := r.tree["result"].(map[string]any)
	if got := sorted(t, result["result"]); len(got) != 2 || len(sorted(t, result["result_error"])) != 2 || strings.Index(string(r.body), `"1":{"ID"`) > strings.Index(string(r.body), `"0":"`) {
		t.Errorf("batch: %s", r.body)
	}
	b.SetFaults(emulator.Faults{})
	if again := get(); jsonText(t, again) != jsonText(t, plain) {
		t.Errorf("afterwards: %v", again)
	}
}

func TestRowsNobodyAskedFor(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.addLeads(t, 20)
	ids := func() (all []string) {
		for _, row := range b.hook(t, "crm.lead.list", `{"filter":{"<=ID":4},"select":["ID"]}`).rows(t) {
			id, _ := row["ID"].(string)
			all = append(all, id)
		}
		return all
	}
	items := func() int {
		result, _ := b.hook(t, "crm.item.list", `{"entityTypeId":1,"filter":{"<=id":4}}`).tree["result"].(map[string]any)
		all, _ := result["items"].([]any)
		return len(all)
	}
	for name, c := range map[string]struct {
		faults emulator.Faults
		rows   int
	}{"stray": {emulator.Faults{StrayRows: 1}, 5}, "filter": {emulator.Faults{IgnoreFilter: 1}, 20}, "off": {emulator.Faults{}, 4}} {
		b.SetFaults(c.faults)
		if got := ids(); len(got) != c.rows || items() != c.rows {
			t.Errorf("%s: %v, %d items", name, got, items())
		}
	}
	for _, rate := range []float64{1, 0} {
		b.SetFaults(emulator.Faults{WrongLead: rate})
		lead, _ := b.hook(t, "crm.lead.get", `{"id":7}`).tree["result"].(map[string]any)
		if (lead["ID"] == "7") == (rate == 1) || lead["ID"] == nil {
			t.Errorf("rate %v: get of lead 7 answers with %v", rate, lead["ID"])
		}
	}
}

func TestIDsThatDoNotFit(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.addLeads(t, 5)
	for kind, want := range map[string]string{
		"big": `"2147483648"`, "huge": `"9223372036854775808"`, "zero": `"0"`, "negative": `"-7"`, "text": `"LEAD_7"`, "null": "null", "": `"3"`,
	} {
		b.SetFaults(emulator.Faults{OddIDs: kind})
		r := b.hook(t, "crm.lead.list", `{"select":["ID","TITLE"]}`)
		rows := r.rows(t)
		if len(rows) != 5 || rows[1]["ID"] != "2" || !strings.Contains(string(r.body), `{"ID":`+want+`,"TITLE":`) {
			t.Errorf("%q: %s", kind, r.body)
		}
		item := b.hook(t, "crm.item.list", `{"entityTypeId":1,"select":["id"]}`)
		if number := strings.Trim(want, `"`); kind != "text" && !strings.Contains(string(item.body), `{"id":`+number+`}`) {
			t.Errorf("%q in items: %s", kind, item.body)
		}
	}
}

func TestLinksAreSignedAnewAtEachRead(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1, NoLimits: true})
	token, _ := b.authorize(t)
	b.control(t, "PATCH", "leads/1", `{"fields":{"UF_CRM_1722578010":["371"]}}`)
	read := func() string {
		lead, _ := b.rest(t, token, "crm.lead.get", "id=1").tree["result"].(map[string]any)
		return jsonText(t, lead["UF_CRM_1722578010"])
	}
	for _, on := range []bool{true, false} {
		b.SetFaults(emulator.Faults{SignedLinks: on})
		once, again := read(), read()
		if !strings.Contains(once, "auth="+token) || strings.Contains(once, "token=crm%7C"+token+"%7C") != on || (once != again) != on {
			t.Errorf("on %t: %s, then %s", on, once, again)
		}
	}
}
