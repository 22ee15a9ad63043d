package emulator

import "strconv"

// simple reports whether the CRM works without leads.
func (p *Portal) simple() bool { return p.cfg.Switches.SimpleMode || p.Faults().SimpleMode }

// keep stores a new lead. In the simple mode it becomes a deal at once and cannot be read.
func (p *Portal) keep(d *draft) *lead {
	l := p.store.add(d)
	if p.simple() {
		p.store.delete(l.id)
	}
	return l
}

// convertAll converts the open leads, as switching to the simple mode does, without an event.
func (p *Portal) convertAll() {
	now := p.clock.now().Unix()
	for after := int64(0); ; {
		page := p.store.after(after, 256)
		if len(page) == 0 {
			return
		}
		for _, l := range page {
			after = l.id
			if semantics(l.text(fieldStatus)) != "P" {
				continue
			}
			p.store.edit(l.id, func(d *draft) {
				d.put(fieldStatus, "CONVERTED")
				d.put(fieldModifiedBy, strconv.Itoa(users[0].id))
				d.put(fieldMovedBy, strconv.Itoa(users[0].id))
				d.modified, d.moved = now, now
				d.settle(now)
			})
		}
	}
}
