package emulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// offlineTests reads the filter of the event.offline methods: only scalars, with the prefixes
// = > < >= <=, in the list also @ and %, never "!" (docs/bitrix24.md 2.6).
func (c *call) offlineTests(fields []string, inList bool) ([]func(*offlineRecord) bool, error) {
	filter := c.param("filter")
	switch {
	case filter == nil || filter.Value == "" && len(filter.Children) == 0:
		return nil, nil
	case len(filter.Children) == 0:
		return nil, errArgument("The filter is not an array.")
	}
	var tests []func(*offlineRecord) bool
	for _, f := range filter.Children {
		name := strings.TrimLeft(f.Name, "=<>!@%")
		op := cmp.Or(strings.TrimSuffix(f.Name, name), "=")
		name = strings.ToUpper(name)
		if !slices.Contains(fields, name) {
			return nil, errArgument("Filter field not allowed: " + name)
		}
		allowed := []string{"=", ">", "<", ">=", "<="}
		if inList {
			allowed = append(allowed, "@", "%")
		}
		if !slices.Contains(allowed, op) {
			return nil, errArgument("Filter operation not allowed: " + op)
		}
		if len(f.Children) > 0 && op != "@" {
			return nil, errArgument("The value of an argument '" + f.Name + "' has an invalid type")
		}
		tests = append(tests, c.offlineTest(op, name, textsOf(f)))
	}
	return tests, nil
}

func (c *call) offlineTest(op, field string, values []string) func(*offlineRecord) bool {
	value := first(values)
	switch op {
	case "@":
		return func(r *offlineRecord) bool { return slices.Contains(values, r.text(field)) }
	case "%":
		return func(r *offlineRecord) bool {
			return strings.Contains(strings.ToLower(r.text(field)), strings.ToLower(value))
		}
	}
	return func(r *offlineRecord) bool {
		d := strings.Compare(r.text(field), value)
		switch field {
		case "ID":
			n, err := strconv.Atoi(value)
			if err != nil {
				return false
			}
			d = cmp.Compare(r.id, n)
		case "TIMESTAMP_X":
			t, ok := parseTime(value, c.zone, false)
			if !ok {
				return false
			}
			d = cmp.Compare(r.at.Unix(), t.Unix())
		}
		switch op {
		case ">":
			return d > 0
		case ">=":
			return d >= 0
		case "<":
			return d < 0
		case "<=":
			return d <= 0
		default:
			return d == 0
		}
	}
}
