package emulator

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// operators are the prefixes of filter keys, longer ones first (docs/bitrix24.md 6.5).
var operators = []string{"!=%", "!%=", "!@", ">=", "<=", "=%", "%=", "!%", "!=", ">", "<", "@", "%", "=", "!"}

// condition is one member of a filter. All members must hold; there is no OR.
type condition struct {
	place   int // of a field; -1 for a multifield
	multi   int
	how     comparison
	op      string // one of = > >= < <= % (contains) and ~ (LIKE pattern)
	negate  bool
	needles []needle
}

// comparison is how the values of a field compare.
type comparison uint8

const (
	asText comparison = iota
	asNumber
	asTime
	asDay
)

// needle is a value to compare with, parsed once. ok is false if it should be a number or a
// date and is not; then no value matches it.
type needle struct {
	text   string // lower case: MySQL compares text without regard to case
	number float64
	ok     bool
}

// splitKey splits a filter key into operator and name.
func splitKey(key string) (op, name string) {
	for _, o := range operators {
		if strings.HasPrefix(key, o) {
			return o, strings.ToUpper(key[len(o):])
		}
	}
	return "=", strings.ToUpper(key)
}

// restrict adds one member of a filter. It ignores an unknown field, as portals are reported
// to do in this method, which returns the whole selection (docs/bitrix24.md 6.5).
// Switches.RefuseFilterKeys refuses it.
func (q *query) restrict(f *bitrix24.Form, p *Portal) error {
	op, name := splitKey(f.Name)
	place, known := fieldByName[name]
	multi, isMulti := multiByName(name)
	if !known && !isMulti {
		if p.cfg.Switches.RefuseFilterKeys {
			return &refusal{http.StatusBadRequest, "INVALID_ARG_VALUE", "Invalid filter: field '" + name + "' is not allowed in filter"}
		}
		return nil
	}
	if isMulti {
		place = -1
	}
	q.and(newCondition(op, place, multi, f, p))
	return nil
}

// newCondition reads the values of a filter member.
func newCondition(op string, place, multi int, f *bitrix24.Form, p *Portal) *condition {
	c := &condition{place: place, multi: multi}
	if place >= 0 {
		c.how = comparisonOf(place)
	}
	c.setOperator(op)
	values := []string{f.Value}
	if len(f.Children) > 0 {
		values = values[:0]
		for _, child := range f.Children {
			values = append(values, child.Value)
		}
	}
	for _, v := range values {
		c.needles = append(c.needles, c.how.needle(v, p))
	}
	return c
}

// predicate is a condition or a group of them.
type predicate interface {
	holds(l *lead) bool
}

// group holds if all its parts hold, or with or, if any does. crm.item.list expresses OR by
// nested groups; crm.lead.list has no OR.
type group struct {
	or    bool
	parts []predicate
}

func (g *group) holds(l *lead) bool {
	for _, part := range g.parts {
		if part.holds(l) == g.or {
			return g.or
		}
	}
	return !g.or
}

// and adds a condition that must hold as well.
func (q *query) and(part predicate) {
	if c, ok := part.(*condition); ok && c.place == fieldID && q.bound(c) {
		return
	}
	q.where = append(q.where, part)
}

func (c *condition) setOperator(op string) {
	switch op {
	case "@", "=":
		c.op = "="
	case "!@", "!=", "!":
		c.op, c.negate = "=", true
	case "!%":
		c.op, c.negate = "%", true
	case "=%", "%=":
		c.op = "~"
	case "!=%", "!%=":
		c.op, c.negate = "~", true
	default:
		c.op = op
	}
}

// bound turns a condition on the id into bounds or into a list of ids; it returns false if
// the condition must be checked for each lead.
func (q *query) bound(c *condition) bool {
	if c.negate || slices.ContainsFunc(c.needles, func(n needle) bool { return !n.ok || n.number != float64(int64(n.number)) }) {
		return false
	}
	id := int64(c.needles[0].number)
	switch c.op {
	case ">":
		q.low = max(q.low, id+1)
	case ">=":
		q.low = max(q.low, id)
	case "<":
		q.high = min(q.high, id-1)
	case "<=":
		q.high = min(q.high, id)
	case "=":
		ids := make([]int64, 0, len(c.needles))
		for _, n := range c.needles {
			ids = append(ids, int64(n.number))
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		if q.listed {
			ids = slices.DeleteFunc(ids, func(id int64) bool { return !slices.Contains(q.ids, id) })
		}
		q.ids, q.listed = ids, true
	default:
		return false
	}
	return true
}

// comparisonOf is how the values of a field compare.
func comparisonOf(place int) comparison {
	if place >= standardFields {
		switch userFields[place-standardFields].typ {
		case "boolean", "integer", "double", "employee":
			return asNumber
		case "datetime":
			return asTime
		default:
			return asText
		}
	}
	switch leadFields[place].kind {
	case kindID, kindRef, kindDouble:
		return asNumber
	case kindTime:
		return asTime
	case kindDate:
		return asDay
	default:
		return asText
	}
}

func (how comparison) needle(value string, p *Portal) needle {
	n := needle{text: strings.ToLower(value)}
	switch how {
	case asNumber:
		var err error
		n.number, err = strconv.ParseFloat(strings.TrimSpace(value), 64)
		n.ok = err == nil
	case asTime:
		var t time.Time
		t, n.ok = parseTime(value, p.zone, p.cfg.Switches.IgnoreDateOffset)
		n.number = float64(t.Unix())
	case asDay:
		t, ok := parseTime(value, time.UTC, true)
		n.text, n.ok = t.Format(time.DateOnly), ok
		if value == "" {
			n.text = ""
		}
	default:
		n.ok = true
	}
	return n
}

// timeLayouts are the accepted forms of dates. Without an offset a date is server time
// (docs/bitrix24.md 6.5).
var timeLayouts = []string{
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	"02.01.2006 15:04:05", "02.01.2006 15:04", "02.01.2006",
}

func parseTime(text string, zone *time.Location, ignoreOffset bool) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		if !ignoreOffset {
			return t, true
		}
		text = t.Format("2006-01-02T15:04:05")
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// holds reports whether a lead meets the condition: any value of the field does, or with a
// negation, none does.
func (c *condition) holds(l *lead) bool {
	return c.anyValue(l) != c.negate
}

func (c *condition) anyValue(l *lead) bool {
	if c.place < 0 {
		rows := l.multi(c.multi)
		if len(rows) == 0 {
			return c.value("", 0, false)
		}
		return slices.ContainsFunc(rows, func(m multifield) bool { return c.value(m.value, 0, true) })
	}
	if c.place >= standardFields && userFields[c.place-standardFields].multiple {
		values := l.texts(c.place)
		if len(values) == 0 {
			return c.value("", 0, false)
		}
		return slices.ContainsFunc(values, func(v string) bool { return c.value(v, 0, true) })
	}
	if c.place < standardFields && leadFields[c.place].kind == kindTime {
		at := l.instant(c.place)
		return c.value("", float64(at), at != 0)
	}
	text := shownText(l, c.place)
	number, ok := 0.0, text != ""
	switch c.how {
	case asNumber:
		var err error
		number, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	case asTime:
		t, parsed := parseTime(text, time.UTC, false)
		number, ok = float64(t.Unix()), parsed
	default: // texts and days compare as text
	}
	return c.value(text, number, ok)
}

// shownText is the text of a field as answers show it, which is what filters and orders use.
func shownText(l *lead, place int) string {
	if place >= standardFields {
		text := l.text(place)
		if text == "" && userFields[place-standardFields].typ == "boolean" {
			return "0"
		}
		return text
	}
	switch leadFields[place].kind {
	case kindID:
		return strconv.FormatInt(l.id, 10)
	case kindDerived:
		return l.derived(place)
	case kindFlag:
		return cmp.Or(l.text(place), "N")
	case kindDouble:
		return cmp.Or(l.text(place), "0.00")
	default:
		return l.text(place)
	}
}

// value reports whether a value matches one of the needles; filled is false for an empty
// field.
func (c *condition) value(text string, number float64, filled bool) bool {
	for i := range c.needles {
		if c.compare(text, number, filled, &c.needles[i]) {
			return true
		}
	}
	return false
}

func (c *condition) compare(text string, number float64, filled bool, n *needle) bool {
	switch c.op {
	case "%":
		return strings.Contains(strings.ToLower(text), n.text)
	case "~":
		return like(strings.ToLower(text), n.text)
	}
	if n.text == "" { // "=" asks for empty fields; other comparisons match nothing
		return c.op == "=" && !filled
	}
	if !filled || !n.ok {
		return false
	}
	var d int
	if c.how == asNumber || c.how == asTime {
		d = cmp.Compare(number, n.number)
	} else {
		d = strings.Compare(strings.ToLower(text), n.text)
	}
	switch c.op {
	case "=":
		return d == 0
	case ">":
		return d > 0
	case ">=":
		return d >= 0
	case "<":
		return d < 0
	default:
		return d <= 0
	}
}

// like is SQL's LIKE: % is any run of characters, _ any single one.
func like(text, pattern string) bool {
	t, p := []rune(text), []rune(pattern)
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '%':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '_' || p[j] == t[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}
