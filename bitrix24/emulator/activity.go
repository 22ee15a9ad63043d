package emulator

import (
	"encoding/json"
	"errors"
	"fmt"

	"leadsync/bitrix24"
)

// ErrNoLead says that the portal has no lead with that id, or no longer has it.
var ErrNoLead = errors.New("the portal has no such lead")

// Add adds n generated leads, sends an ONCRMLEADADD for each, and returns their ids.
func (p *Portal) Add(n int) []int64 {
	ids := make([]int64, 0, max(n, 0))
	for range n {
		now := p.clock.now().Unix()
		p.rngMu.Lock()
		d := p.generator.draft(now)
		d.collapseHistory(now)
		p.rngMu.Unlock()
		l := p.keep(d)
		ids = append(ids, l.id)
		p.fire("ONCRMLEADADD", l.id, p.someone(), "")
	}
	return ids
}

// Edit changes a lead as crm.lead.update does on behalf of the administrator. With nil fields
// it makes a random, realistic edit on behalf of some employee. The error is ErrNoLead.
func (p *Portal) Edit(id int64, fields map[string]any) error {
	if fields == nil {
		return p.changeAs(id, p.randomEdit(), p.someone())
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("lead %d: %w", id, err)
	}
	form, err := fieldsForm(text)
	if err != nil {
		return fmt.Errorf("lead %d: %w", id, err)
	}
	return p.changeAs(id, form, users[0].id)
}

func (p *Portal) changeAs(id int64, fields *bitrix24.Form, by int) error {
	if !p.change(id, fields, by, "") {
		return fmt.Errorf("lead %d: %w", id, ErrNoLead)
	}
	return nil
}

// Delete removes a lead. The error is ErrNoLead.
func (p *Portal) Delete(id int64) error {
	if !p.remove(id, users[0].id, "") {
		return fmt.Errorf("lead %d: %w", id, ErrNoLead)
	}
	return nil
}

// MassEdit makes random edits to n different leads at once, as a list action in the portal
// does, with one event for each lead. It returns their ids.
func (p *Portal) MassEdit(n int) []int64 {
	p.store.mu.RLock()
	all := make([]int64, len(p.store.leads))
	for i, l := range p.store.leads {
		all[i] = l.id
	}
	p.store.mu.RUnlock()
	n = max(0, min(n, len(all)))
	p.rngMu.Lock()
	for i := range n {
		j := i + p.rng.below(len(all)-i)
		all[i], all[j] = all[j], all[i]
	}
	p.rngMu.Unlock()
	edited := make([]int64, 0, n)
	for _, id := range all[:n] {
		if p.Edit(id, nil) == nil { // an error means that the lead was deleted meanwhile
			edited = append(edited, id)
		}
	}
	return edited
}

// RandomID returns the id of a random lead: the same ids in the same order for the same seed.
// It returns false if there are no leads.
func (p *Portal) RandomID() (int64, bool) {
	p.rngMu.Lock()
	defer p.rngMu.Unlock()
	p.store.mu.RLock()
	defer p.store.mu.RUnlock()
	if len(p.store.leads) == 0 {
		return 0, false
	}
	return p.store.leads[p.rng.below(len(p.store.leads))].id, true
}

// someone is a random employee.
func (p *Portal) someone() int {
	p.rngMu.Lock()
	defer p.rngMu.Unlock()
	return users[p.rng.below(5)].id
}
