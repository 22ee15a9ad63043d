package emulator_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadsync/bitrix24/emulator"
)

// truth is one lead as the control surface shows it.
type truth map[string]any

func truths(tb testing.TB, p *emulator.Portal) []truth {
	tb.Helper()
	var all []truth
	for _, text := range p.Leads() {
		var lead truth
		if err := json.Unmarshal(text, &lead); err != nil {
			tb.Fatal(err)
		}
		all = append(all, lead)
	}
	return all
}

// values are the values that a filter on the field compares.
func (l truth) values(field string) []string {
	switch v := l[field].(type) {
	case string:
		return []string{v}
	case bool:
		if field == "UF_CRM_1708952993785" && !v {
			return []string{"0"}
		}
		return []string{map[bool]string{true: "1", false: ""}[v]}
	case []any:
		var all []string
		for _, item := range v {
			if row, ok := item.(map[string]any); ok {
				item = row["VALUE"]
			}
			all = append(all, fmt.Sprint(item))
		}
		return all
	default:
		return []string{""}
	}
}

// naive computes, in the simplest way, what the portal's lists must return.
type naive struct {
	filter []naiveCondition
	order  []naiveOrder
}

type naiveCondition struct {
	op, field string
	values    []string
}

type naiveOrder struct {
	field string
	desc  bool
}

var fieldKinds = map[string]string{
	"ID": "number", "TITLE": "text", "NAME": "text", "COMPANY_TITLE": "text", "STATUS_ID": "text", "OPPORTUNITY": "number",
	"DATE_CREATE": "date", "DATE_MODIFY": "date", "DATE_CLOSED": "date", "ASSIGNED_BY_ID": "number", "CONTACT_ID": "number",
	"OPENED": "text", "PHONE": "text", "EMAIL": "text", "UF_CRM_1708952993785": "number", "UF_CRM_1724077760": "text",
	"UF_CRM_1387525788": "text",
}

func (c naiveCondition) compare(a, b string) (int, bool) {
	switch fieldKinds[c.field] {
	case "number":
		x, err1 := strconv.ParseFloat(a, 64)
		y, err2 := strconv.ParseFloat(b, 64)
		return cmp.Compare(x, y), err1 == nil && err2 == nil
	case "date":
		x, err1 := time.Parse(time.RFC3339, a)
		y, err2 := time.Parse(time.RFC3339, b)
		return x.Compare(y), err1 == nil && err2 == nil
	default:
		return strings.Compare(strings.ToLower(a), strings.ToLower(b)), true
	}
}

func (c naiveCondition) holds(l truth) bool {
	op := strings.TrimPrefix(c.op, "!")
	negated := op != c.op
	any := false
	for _, have := range l.values(c.field) {
		for _, want := range c.values {
			any = any || c.one(op, have, want)
		}
	}
	return any != negated
}

func (c naiveCondition) one(op, have, want string) bool {
	if op == "%" {
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	}
	if op == "=%" || op == "%=" {
		pattern := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(want))
		return regexp.MustCompile("(?is)^" + pattern + "$").MatchString(have)
	}
	if have == "" || want == "" {
		return have == want && (op == "=" || op == "@" || op == "")
	}
	d, ok := c.compare(have, want)
	switch op {
	case ">":
		return ok && d > 0
	case ">=":
		return ok && d >= 0
	case "<":
		return ok && d < 0
	case "<=":
		return ok && d <= 0
	default:
		return ok && d == 0
	}
}

func (n naive) run(all []truth) []string {
	var rows []truth
	for _, l := range all {
		fits := true
		for _, c := range n.filter {
			fits = fits && c.holds(l)
		}
		if fits {
			rows = append(rows, l)
		}
	}
	slices.SortStableFunc(rows, func(a, b truth) int {
		for _, o := range n.order {
			x, y := a.values(o.field)[0], b.values(o.field)[0]
			d, ok := naiveCondition{field: o.field}.compare(x, y)
			if !ok {
				d = cmp.Compare(x, y) // empty first
			}
			if o.desc {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
	var ids []string
	for _, l := range rows {
		ids = append(ids, l.values("ID")[0])
	}
	return ids
}

func drawNaive(t *rapid.T, all []truth) (naive, int) {
	var n naive
	names := make([]string, 0, len(fieldKinds))
	for name := range fieldKinds {
		names = append(names, name)
	}
	slices.Sort(names)
	scalar := slices.DeleteFunc(slices.Clone(names), func(s string) bool {
		return s == "PHONE" || s == "EMAIL" || s == "UF_CRM_1724077760"
	})
	for range rapid.IntRange(0, 3).Draw(t, "conditions") {
		c := naiveCondition{field: rapid.SampledFrom(names).Draw(t, "field")}
		ops := []string{"", "=", "!", "!=", "@", "!@", ">", ">=", "<", "<="}
		if fieldKinds[c.field] == "text" {
			ops = append(ops, "%", "!%", "=%", "%=", "!=%", "!%=")
		}
		c.op = rapid.SampledFrom(ops).Draw(t, "op")
		count := 1
		if strings.HasSuffix(c.op, "@") {
			count = rapid.IntRange(1, 60).Draw(t, "count")
		}
		for range count {
			value := rapid.SampledFrom(rapid.SampledFrom(all).Draw(t, "like").values(c.field)).Draw(t, "value")
			runes := []rune(value)
			switch {
			case c.op == "%" || c.op == "!%":
				value = string(runes[:rapid.IntRange(0, len(runes)).Draw(t, "length")])
			case strings.Contains(c.op, "%") && len(runes) > 0:
				runes[rapid.IntRange(0, len(runes)-1).Draw(t, "any one")] = '_'
				cut := rapid.IntRange(0, len(runes)-1).Draw(t, "any run")
				value = string(runes[:cut]) + "%" + string(runes[rapid.IntRange(cut, len(runes)).Draw(t, "to"):])
			}
			c.values = append(c.values, value)
		}
		n.filter = append(n.filter, c)
	}
	for range rapid.IntRange(0, 2).Draw(t, "orders") {
		n.order = append(n.order, naiveOrder{rapid.SampledFrom(scalar).Draw(t, "by"), rapid.Bool().Draw(t, "descending")})
	}
	return n, rapid.SampledFrom([]int{-1, 0, 0, 50, 100, 75}).Draw(t, "start")
}

// query is the call that asks for it.
func (n naive) query(start int) string {
	var q strings.Builder
	q.WriteString("select[]=ID&start=" + strconv.Itoa(start))
	for _, c := range n.filter {
		for i, v := range c.values {
			key := "filter[" + c.op + c.field + "]"
			if len(c.values) > 1 || strings.HasSuffix(c.op, "@") {
				key += "[" + strconv.Itoa(i) + "]"
			}
			q.WriteString("&" + url.QueryEscape(key) + "=" + url.QueryEscape(v))
		}
	}
	for _, o := range n.order {
		way := "asc"
		if o.desc {
			way = "DESC"
		}
		q.WriteString("&order[" + o.field + "]=" + way)
	}
	return q.String()
}

// unique drops conditions and orders with a key that came before: a form has each key only
// once.
func (n naive) unique() naive {
	var u naive
	for _, c := range n.filter {
		if !slices.ContainsFunc(u.filter, func(o naiveCondition) bool { return o.op+o.field == c.op+c.field }) {
			u.filter = append(u.filter, c)
		}
	}
	for _, o := range n.order {
		if !slices.ContainsFunc(u.order, func(p naiveOrder) bool { return p.field == o.field }) {
			u.order = append(u.order, o)
		}
	}
	return u
}

func TestListEqualsTheNaiveList(t *testing.T) {
	b := start(t, emulator.Config{Leads: 1300, Seed: 11, NoLimits: true})
	all := truths(t, b.Portal)
	rapid.Check(t, func(rt *rapid.T) {
		n, start := drawNaive(rt, all)
		n = n.unique()
		r := b.do(t, "POST", b.info.Webhook+"crm.lead.list", "application/x-www-form-urlencoded", n.query(start))
		want := n.run(all)
		total, from := len(want), max(start, 0)/50*50
		page := want[min(from, total):min(from+50, total)]
		var got []string
		for _, row := range r.rows(t) {
			got = append(got, fmt.Sprint(row["ID"]))
		}
		if d := gocmp.Diff(slices.Clip(slices.Clone(page)), got, gocmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); d != "" {
			rt.Fatalf("%s\nrows (-want +got)\n%s", n.query(start), d)
		}
		_, hasNext := r.tree["next"]
		switch {
		case start < 0 && (r.tree["total"] != 0.0 || hasNext):
			rt.Fatalf("start=-1: total %v, next %v", r.tree["total"], r.tree["next"])
		case start >= 0 && (r.tree["total"] != float64(total) || hasNext != (from+50 < total)):
			rt.Fatalf("%s: total %v next %v, want %d", n.query(start), r.tree["total"], r.tree["next"], total)
		}
	})
}

func TestBatchEqualsItsCommandsOneByOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
		cfg := emulator.Config{Leads: 60, Seed: 5, NoLimits: true, Now: func() time.Time { return now }}
		together, err1 := emulator.New(cfg)
		single, err2 := emulator.New(cfg)
		if err1 != nil || err2 != nil {
			rt.Fatal(err1, err2)
		}
		commands := rapid.SliceOfN(rapid.Custom(drawCommand), 1, 12).Draw(rt, "commands")
		cmd := make([]string, len(commands))
		for i, c := range commands {
			cmd[i] = fmt.Sprintf("%q:%s", fmt.Sprintf("k%02d", i), jsonText(t, c))
		}
		var batch struct {
			Result struct {
				Result map[string]json.RawMessage `json:"result"`
				Error  json.RawMessage            `json:"result_error"`
			} `json:"result"`
		}
		body := serveAny(t, together, "batch", `{"cmd":{`+strings.Join(cmd, ",")+`}}`)
		_ = json.Unmarshal(body, &batch) // result is [] when all failed
		failed := map[string]json.RawMessage{}
		_ = json.Unmarshal(batch.Result.Error, &failed) // [] when none failed
		for i, c := range commands {
			method, query, _ := strings.Cut(c, "?")
			var one struct {
				Result json.RawMessage `json:"result"`
				Error  *string         `json:"error"`
			}
			alone := serveAny(t, single, method+"?"+query, "")
			if err := json.Unmarshal(alone, &one); err != nil {
				rt.Fatalf("%s: %v", alone, err)
			}
			want, got := string(one.Result), string(batch.Result.Result[fmt.Sprintf("k%02d", i)])
			if one.Error != nil {
				want, got = string(alone), string(failed[fmt.Sprintf("k%02d", i)])
			}
			if want != got {
				rt.Fatalf("%s\nalone   %s\nin batch %s", c, want, got)
			}
		}
		if allText(single) != allText(together) {
			rt.Fatalf("leads afterwards (-alone +batch)\n%s", gocmp.Diff(truths(t, single), truths(t, together)))
		}
	})
}

func allText(p *emulator.Portal) string {
	var all strings.Builder
	for _, lead := range p.Leads() {
		all.Write(lead)
	}
	return all.String()
}

func drawCommand(t *rapid.T) string {
	id := strconv.Itoa(rapid.IntRange(0, 75).Draw(t, "id"))
	value := url.QueryEscape(rapid.SampledFrom([]string{"a&b=c", "Ёж \"+7\"", "50%", "x[0]", "NEW"}).Draw(t, "value"))
	return rapid.SampledFrom([]string{
		"crm.lead.get?id=" + id,
		"crm.lead.list?filter[%3EID]=" + id + "&start=-1&select[0]=*&select[1]=UF_*&select[2]=PHONE",
		"crm.lead.list?filter[%25TITLE]=" + value + "&order[DATE_MODIFY]=DESC",
		"crm.lead.add?fields[TITLE]=" + value + "&fields[PHONE][0][VALUE]=" + id,
		"crm.lead.update?id=" + id + "&fields[COMMENTS]=" + value + "&fields[STATUS_ID]=JUNK",
		"crm.lead.delete?id=" + id,
		"crm.item.get?entityTypeId=1&id=" + id,
		"crm.no.such?x=1",
		"event.get",
	}).Draw(t, "command")
}
