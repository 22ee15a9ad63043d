package emulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// ordering is one field of the parameter order.
type ordering struct {
	place      int
	descending bool
}

// ranked is a lead with the values that it is ordered by.
type ranked struct {
	lead *lead
	keys []rank
}

// rank is the value of one field. Two numbers compare as numbers, other values as text
// without regard to case; empty values come first.
type rank struct {
	number  float64
	numeric bool
	text    string
}

func rankOf(l *lead, place int) rank {
	if place < standardFields && leadFields[place].kind == kindTime {
		return rank{number: float64(l.instant(place)), numeric: true}
	}
	text := shownText(l, place)
	if comparisonOf(place) == asNumber {
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return rank{number: n, numeric: true, text: text}
		}
	}
	return rank{text: strings.ToLower(text)}
}

// compare orders two leads. Equal ones are in the order of their ids, which a real portal
// does not promise.
func (q *query) compare(a, b ranked) int {
	for i, o := range q.order {
		x, y := a.keys[i], b.keys[i]
		var d int
		if x.numeric && y.numeric {
			d = cmp.Compare(x.number, y.number)
		} else {
			d = strings.Compare(x.text, y.text)
		}
		if o.descending {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return cmp.Compare(a.lead.id, b.lead.id)
}

// sorted returns one page of rows in an order that needs sorting. It keeps only the rows up to
// the end of the page, so that a page of a million rows does not sort a million.
func (q *query) sorted(candidates []*lead, start int) (rows []*lead, total int) {
	need := start + pageSize
	best := make([]ranked, 0, min(2*need+1000, len(candidates)))
	for _, l := range candidates {
		if !q.matches(l) {
			continue
		}
		total++
		r := ranked{lead: l, keys: make([]rank, len(q.order))}
		for i, o := range q.order {
			r.keys[i] = rankOf(l, o.place)
		}
		if best = append(best, r); len(best) == 2*need+1000 {
			slices.SortFunc(best, q.compare)
			best = best[:need]
		}
	}
	slices.SortFunc(best, q.compare)
	for i := start; i < min(need, len(best)); i++ {
		rows = append(rows, best[i].lead)
	}
	return rows, total
}
