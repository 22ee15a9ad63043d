package emulator

import (
	"slices"
	"strconv"
	"strings"

	"leadsync/bitrix24"
)

// pageSize is how many rows a list returns (docs/bitrix24.md 4).
const pageSize = 50

// crmLeadGet is crm.lead.get (docs/bitrix24.md 6.2).
func crmLeadGet(c *call) (answer, error) {
	id, err := c.id()
	if err != nil {
		return answer{}, err
	}
	l := c.store.get(id)
	switch {
	case l == nil:
		return answer{}, errLeadNotFound
	case c.hidden(l):
		return answer{}, errLeadDenied
	}
	if c.happens(c.Faults().WrongLead) {
		if other := c.other(l); other != nil {
			l = other
		}
	}
	return answer{result: leadRow{l, c.spoil(c.fullView(c.caller.token))}}, nil
}

// crmLeadList is crm.lead.list (docs/bitrix24.md 6.5).
func crmLeadList(c *call) (answer, error) {
	for _, name := range []string{"filter", "order", "select"} {
		if f := c.param(name); f != nil && f.Value != "" {
			return answer{}, errEmptyCode("Parameter '" + name + "' must be array.")
		}
	}
	q, err := c.query(c.param("filter"), c.param("order"))
	if err != nil {
		return answer{}, err
	}
	rows, a := c.pageOf(q, startOf(c.text("start")))
	f := c.Faults()
	a.result = leadRows{leads: rows, view: c.spoil(c.selectView(c.param("select"), c.caller.token)), oddID: f.oddID(true)}
	return a, nil
}

// startOf reads the parameter start, rounded down to whole pages; -1 means "do not count".
func startOf(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	if n < 0 {
		return -1
	}
	return n / pageSize * pageSize
}

// paged adds total and next (docs/bitrix24.md 3.2, 6.6).
func (a answer) paged(start, shown, total int) answer {
	if start < 0 {
		total = 0
	}
	a.total = &total
	if next := start + pageSize; start >= 0 && shown == pageSize && next < total {
		a.next = &next
	}
	return a
}

// query is what a list asks for.
type query struct {
	low, high int64   // ids within these bounds, inclusive
	ids       []int64 // if listed: only these, ascending
	listed    bool
	where     []predicate
	hidden    func(*lead) bool
	order     []ordering
}

// query reads filter and order; the default order is by id (docs/bitrix24.md 6.5).
func (c *call) query(filter, order *bitrix24.Form) (*query, error) {
	q := c.openQuery()
	if filter != nil && !c.happens(c.Faults().IgnoreFilter) {
		for _, f := range filter.Children {
			if err := q.restrict(f, c.Portal); err != nil {
				return nil, err
			}
		}
	}
	if order != nil {
		for _, f := range order.Children {
			if place, ok := fieldByName[strings.ToUpper(f.Name)]; ok {
				q.order = append(q.order, ordering{place, strings.EqualFold(f.Value, "DESC")})
			}
		}
	}
	return q, nil
}

// openQuery asks for every lead that the caller may see.
func (c *call) openQuery() *query {
	q := &query{low: 1, high: 1<<63 - 1}
	if f := c.Faults(); f.Hidden > 0 || f.OwnLeadsOnly && !c.caller.user.admin {
		q.hidden = c.hidden
	}
	return q
}

// hidden reports whether the caller may not see a lead.
func (c *call) hidden(l *lead) bool {
	if c.Faults().OwnLeadsOnly && !c.caller.user.admin && l.text(fieldAssigned) != strconv.Itoa(c.caller.user.id) {
		return true
	}
	return c.Portal.hidden(l)
}

// byID reports whether rows are in the order of their ids, and in which direction.
func (q *query) byID() (descending, ok bool) {
	if len(q.order) == 0 {
		return false, true
	}
	return q.order[0].descending, q.order[0].place == fieldID
}

func (q *query) matches(l *lead) bool {
	if q.hidden != nil && q.hidden(l) {
		return false
	}
	for i := range q.where {
		if !q.where[i].holds(l) {
			return false
		}
	}
	return true
}

// page returns one page of the rows that a query asks for, from start on, and the total. With
// start -1 it stops as soon as the page is full. The ids are an index: a bound on them costs
// nothing.
func (s *store) page(q *query, start int) (rows []*lead, total int) {
	descending, byID := q.byID()
	if !byID {
		s.mu.RLock()
		all := slices.Clone(s.candidates(q)) // sorting takes long, and writers must not wait for it
		s.mu.RUnlock()
		return q.sorted(all, max(start, 0))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	candidates := s.candidates(q)
	if len(q.where) == 0 && q.hidden == nil {
		return slice(candidates, max(start, 0), descending), len(candidates)
	}
	rows = make([]*lead, 0, pageSize)
	for i := range candidates {
		l := candidates[i]
		if descending {
			l = candidates[len(candidates)-1-i]
		}
		if !q.matches(l) {
			continue
		}
		if total >= start && len(rows) < pageSize {
			rows = append(rows, l)
		}
		total++
		if start < 0 && len(rows) == pageSize {
			break
		}
	}
	return rows, total
}

// candidates are the leads with the ids that a query allows.
func (s *store) candidates(q *query) []*lead {
	if q.listed {
		var found []*lead
		for _, id := range q.ids {
			if at, ok := s.place(id); ok && id >= q.low && id <= q.high {
				found = append(found, s.leads[at])
			}
		}
		return found
	}
	from, _ := s.place(q.low)
	to := len(s.leads)
	if q.high < 1<<63-1 {
		to, _ = s.place(q.high + 1)
	}
	return s.leads[min(from, to):to]
}

// slice is one page of leads without a filter.
func slice(all []*lead, start int, descending bool) []*lead {
	n := len(all)
	if start >= n {
		return nil
	}
	end := min(start+pageSize, n)
	if !descending {
		return slices.Clone(all[start:end])
	}
	rows := slices.Clone(all[n-end : n-start])
	slices.Reverse(rows)
	return rows
}
