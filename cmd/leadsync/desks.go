package main

import (
	"maps"
	"slices"
	"sync"
)

// desks are the portals that this process owns at the moment, for the gauges.
type desks struct {
	mu  sync.Mutex
	all map[string]*desk // by member_id
}

func (d *desks) open(one *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]*desk{}
	}
	d.all[one.own.Portal.MemberID] = one
}

// close forgets a desk, unless another of the same portal was opened meanwhile.
func (d *desks) close(one *desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[one.own.Portal.MemberID] == one {
		delete(d.all, one.own.Portal.MemberID)
	}
}

func (d *desks) list() []*desk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.all))
}
