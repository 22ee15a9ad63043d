package emulator

import (
	"slices"
	"strconv"
	"strings"
)

// oddities are the faults that show in the leads of one answer. A view without any has nil.
type oddities struct {
	p      *Portal
	faults Faults
	broken []int64 // Faults.Unencodable
}

// spoil makes a view show leads with the faults that are on.
func (c *call) spoil(v *view) *view {
	f := c.Faults()
	if f.Unencodable != "" || f.UnencodableShare > 0 || f.ContactMaps > 0 || f.CustomMaps > 0 || f.SignedLinks {
		v.odd = &oddities{p: c.Portal, faults: f}
		for text := range strings.SplitSeq(f.Unencodable, ",") {
			if id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				v.odd.broken = append(v.odd.broken, id)
			}
		}
	}
	return v
}

// unencodable reports whether no answer can contain the lead.
func (o *oddities) unencodable(l *lead) bool {
	return o != nil && (slices.Contains(o.broken, l.id) || o.p.chosen(l, o.faults.UnencodableShare, 1))
}

func (o *oddities) mapsContacts() bool { return o != nil && o.p.happens(o.faults.ContactMaps) }

func (o *oddities) mapsCustom() bool { return o != nil && o.p.happens(o.faults.CustomMaps) }

// signature is a second token for a link, different at each read.
func (o *oddities) signature(token string) string {
	if o == nil || !o.faults.SignedLinks {
		return ""
	}
	o.p.rngMu.Lock()
	defer o.p.rngMu.Unlock()
	return "&token=crm%7C" + token + "%7C" + o.p.rng.hex(16)
}

// holes is a list from which PHP code removed elements, and which it has reordered since: a map
// with the keys 1, 3, 5 …, of which the first comes last. In the order of its keys it is the
// list.
type holes list

func (h holes) appendJSON(dst []byte) []byte {
	if len(h) == 0 {
		return append(dst, "[]"...)
	}
	dst = append(dst, '{')
	for i := range h {
		at := (i + 1) % len(h)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, int64(2*at+1), 10)
		dst = append(dst, `":`...)
		dst = appendValue(dst, h[at])
	}
	return append(dst, '}')
}

// oddly is a result as Faults.ListMaps shows it: its lists are maps.
func (c *call) oddly(result any) any {
	if !c.happens(c.Faults().ListMaps) {
		return result
	}
	switch r := result.(type) {
	case list:
		return holes(r)
	case leadRows:
		r.mapped = true
		return r
	case object:
		o := slices.Clone(r)
		for i := range o {
			if l, ok := o[i].val.(list); ok {
				o[i].val = holes(l)
			}
		}
		return o
	default:
		return result
	}
}

// mixed is a part of a batch's result as Faults.BatchMaps shows it: a map whose first key comes
// last, also if the keys are 0..n-1.
func mixed(a array) any {
	if len(a) == 0 {
		return a
	}
	return append(slices.Clone(object(a[1:])), a[0])
}

// oddID is the value of Faults.OddIDs in JSON; text is how crm.lead.* writes it.
func (f *Faults) oddID(text bool) []byte {
	id, ok := map[string]string{"big": "2147483648", "huge": "9223372036854775808", "zero": "0", "negative": "-7", "text": "LEAD_7", "null": "null"}[strings.ToLower(f.OddIDs)]
	switch {
	case !ok:
		return nil
	case id == "null" || !text && id != "LEAD_7":
		return []byte(id)
	default:
		return []byte(`"` + id + `"`)
	}
}

// pageOf is a page of the rows that a query asks for, with the faults of rows.
func (c *call) pageOf(q *query, start int) (rows []*lead, a answer) {
	rows, total := c.store.page(q, start)
	a = answer{}.paged(start, len(rows), total)
	if c.happens(c.Faults().StrayRows) {
		if l := c.other(rows...); l != nil {
			rows = slices.Insert(slices.Clone(rows), len(rows)/2, l)
		}
	}
	return rows, a
}

// other is a random lead that is none of the given ones; nil if there is none.
func (c *call) other(than ...*lead) *lead {
	for range 100 {
		id, ok := c.RandomID()
		if l := c.store.get(id); ok && l != nil && !slices.ContainsFunc(than, func(t *lead) bool { return t.id == id }) {
			return l
		}
	}
	return nil
}
