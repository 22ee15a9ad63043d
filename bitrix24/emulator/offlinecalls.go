package emulator

import (
	"slices"
	"strconv"
	"strings"

	"leadsync/bitrix24"
)

// offlineAllowed makes the checks that all event.offline methods have in common.
func (c *call) offlineAllowed() error {
	switch {
	case !c.caller.user.admin:
		return errAdminOnly
	case c.text("auth_connector") != "" && c.cfg.Switches.NoAuthConnector:
		return errConnectorPlan
	default:
		return nil
	}
}

// offlineGet is event.offline.get: it removes events from the queue, or with clear=0 reserves
// them under a process id (docs/bitrix24.md 2.6).
func offlineGet(c *call) (answer, error) {
	if err := c.offlineAllowed(); err != nil {
		return answer{}, err
	}
	keep := c.text("clear") == "0"
	if keep && c.cfg.Switches.NoOfflineExtended {
		return answer{}, errExtendedPlan
	}
	limit := pageSize
	if text := c.text("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return answer{}, errArgument("Value must be positive integer")
		}
		limit = n
	}
	if c.cfg.Switches.FewOffline {
		limit = min(limit, pageSize)
	}
	sift, err := c.offlineSieve("TIMESTAMP_X", false)
	if err != nil {
		return answer{}, err
	}
	process, bad := c.text("process_id"), c.text("error") == "1"
	q := c.offline
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(c.now)
	taken := sift(q.records, func(r *offlineRecord) bool {
		return r.connector == c.text("auth_connector") && r.process == process && r.bad == bad
	})
	taken = taken[:min(limit, len(taken))]
	var shownProcess any
	switch {
	case !keep && process != "": // this deletes the whole batch, beyond limit too
		q.drop(func(r *offlineRecord) bool { return r.process == process })
	case !keep:
		q.drop(func(r *offlineRecord) bool { return contains(taken, r.id) })
	case process != "":
		shownProcess = process
	case len(taken) > 0:
		process = q.rng.letters(32, alphanumeric)
		shownProcess = process
		for i := range q.records {
			if contains(taken, q.records[i].id) {
				q.records[i].process = process
			}
		}
	}
	events := list{}
	for i := range taken {
		events = append(events, taken[i].show(c.zone))
	}
	return answer{result: object{{"process_id", shownProcess}, {"events", events}}}, nil
}

func contains(records []offlineRecord, id int) bool {
	return slices.ContainsFunc(records, func(r offlineRecord) bool { return r.id == id })
}

// drop removes records. The caller holds mu.
func (q *offlineQueue) drop(fits func(*offlineRecord) bool) {
	q.records = slices.DeleteFunc(q.records, func(r offlineRecord) bool { return fits(&r) })
}

// offlineClear is event.offline.clear: it always returns true. Without lists it deletes the
// whole batch; an empty process_id means everything that is not reserved. If both lists are
// given, message_id counts (docs/bitrix24.md 2.6).
func offlineClear(c *call) (answer, error) {
	if err := c.offlineAllowed(); err != nil {
		return answer{}, err
	}
	process := c.param("process_id")
	if process == nil {
		return answer{}, errArgument("Argument 'PROCESS_ID' is null or empty")
	}
	ids, messages := textsOf(c.param("id")), textsOf(c.param("message_id"))
	q := c.offline
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(func(r *offlineRecord) bool {
		switch {
		case r.process != process.Value || r.connector != c.text("auth_connector"):
			return false
		case len(messages) > 0:
			return slices.Contains(messages, r.message)
		case len(ids) > 0:
			return slices.Contains(ids, strconv.Itoa(r.id))
		default:
			return true
		}
	})
	return answer{result: true}, nil
}

// offlineError is event.offline.error: it marks records as erroneous and releases them. With
// an unknown process id it marks matching records that are not reserved.
func offlineError(c *call) (answer, error) {
	if err := c.offlineAllowed(); err != nil {
		return answer{}, err
	}
	process, messages := c.text("process_id"), textsOf(c.param("message_id"))
	switch {
	case process == "":
		return answer{}, errArgument("Argument 'PROCESS_ID' is null or empty")
	case len(messages) == 0:
		return answer{}, errArgument("Argument 'MESSAGE_ID' is null or empty")
	}
	q := c.offline
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.ContainsFunc(q.records, func(r offlineRecord) bool { return r.process == process }) {
		process = ""
	}
	for i := range q.records {
		r := &q.records[i]
		if r.process == process && slices.Contains(messages, r.message) {
			r.bad, r.process = true, ""
		}
	}
	return answer{result: true}, nil
}

// offlineList is event.offline.list: it shows the queue without changing it, paged like any
// list.
func offlineList(c *call) (answer, error) {
	if err := c.offlineAllowed(); err != nil {
		return answer{}, err
	}
	sift, err := c.offlineSieve("ID", true)
	if err != nil {
		return answer{}, err
	}
	q := c.offline
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(c.now)
	all := sift(q.records, func(r *offlineRecord) bool { return r.connector == c.text("auth_connector") })
	start := max(0, startOf(c.text("start")))
	rows := list{}
	for i := start; i < min(start+pageSize, len(all)); i++ {
		rows = append(rows, all[i].showAll(c.zone))
	}
	a := answer{result: rows}
	return a.paged(start, len(rows), len(all)), nil
}

// textsOf are the values of a list, or the one value.
func textsOf(f *bitrix24.Form) []string {
	if f == nil {
		return nil
	}
	if len(f.Children) == 0 && f.Value != "" {
		return []string{f.Value}
	}
	var all []string
	for _, c := range f.Children {
		all = append(all, c.Value)
	}
	return all
}

// offlineFields are the fields for filter and order; the last two only in the list.
var offlineFields = []string{"ID", "TIMESTAMP_X", "EVENT_NAME", "MESSAGE_ID", "PROCESS_ID", "ERROR"}

// sieve filters and orders records.
type sieve func(records []offlineRecord, also func(*offlineRecord) bool) []offlineRecord

// offlineSieve reads filter and order, with the errors of docs/bitrix24.md 2.6.
func (c *call) offlineSieve(byDefault string, inList bool) (sieve, error) {
	fields := offlineFields
	if !inList {
		fields = fields[:4]
	}
	tests, err := c.offlineTests(fields, inList)
	if err != nil {
		return nil, err
	}
	orders, err := c.offlineOrders(fields, byDefault)
	if err != nil {
		return nil, err
	}
	return func(records []offlineRecord, also func(*offlineRecord) bool) []offlineRecord {
		var kept []offlineRecord
		for i := range records {
			fits := also(&records[i])
			for _, holds := range tests {
				fits = fits && holds(&records[i])
			}
			if fits {
				kept = append(kept, records[i])
			}
		}
		slices.SortStableFunc(kept, func(a, b offlineRecord) int {
			for _, o := range orders {
				if d := compareOffline(&a, &b, o.field); d != 0 {
					if o.descending {
						return -d
					}
					return d
				}
			}
			return a.id - b.id
		})
		return kept
	}, nil
}

type offlineOrder struct {
	field      string
	descending bool
}

func (c *call) offlineOrders(fields []string, byDefault string) ([]offlineOrder, error) {
	order := c.param("order")
	switch {
	case order == nil || order.Value == "" && len(order.Children) == 0:
		return []offlineOrder{{field: byDefault}}, nil
	case len(order.Children) == 0:
		return nil, errArgument("The order is not an array.")
	}
	var all []offlineOrder
	for _, f := range order.Children {
		name, way := strings.ToUpper(f.Name), strings.ToUpper(f.Value)
		if !slices.Contains(fields, name) {
			return nil, errArgument("Order field not allowed: " + f.Name)
		}
		if way != "ASC" && way != "DESC" {
			return nil, errArgument("Order direction should be one of {ASC|DESC}")
		}
		all = append(all, offlineOrder{name, way == "DESC"})
	}
	return all, nil
}

func compareOffline(a, b *offlineRecord, field string) int {
	switch field {
	case "ID":
		return a.id - b.id
	case "TIMESTAMP_X":
		return a.at.Truncate(1e9).Compare(b.at.Truncate(1e9))
	default:
		return strings.Compare(a.text(field), b.text(field))
	}
}

func (r *offlineRecord) text(field string) string {
	switch field {
	case "EVENT_NAME":
		return r.event
	case "MESSAGE_ID":
		return r.message
	case "PROCESS_ID":
		return r.process
	case "ERROR":
		if r.bad {
			return "1"
		}
		return "0"
	default:
		return strconv.Itoa(r.id)
	}
}
