package emulator

import (
	"encoding/json"
	"errors"
	"fmt"

	"leadsync/bitrix24"
)

// ErrNoLead says that the portal has no lead of that id (any more).
var ErrNoLead = errors.New("the portal has no such lead")

// Add makes n believable leads, one ONCRMLEADADD each, and returns their ids.
func (p *Portal) Add(n int) []int64 {
	ids := make([]int64, 0, max(n, 0))
	for range n {
		now := p.clock.now().Unix()
		p.luckMu.Lock()
		d := p.maker.draft(now)
		d.happenNow(now)
		p.luckMu.Unlock()
		l := p.store.add(d)
		ids = append(ids, l.id)
		p.fire("ONCRMLEADADD", l.id, p.someone(), "")
	}
	return ids
}

// Edit changes a lead as crm.lead.update would on behalf of the administrator;
// nil fields are one believable edit by somebody. The error is ErrNoLead.
func (p *Portal) Edit(id int64, fields map[string]any) error {
	if fields == nil {
		return p.changeAs(id, p.believableEdit(), p.someone())
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

// MassEdit edits n different leads at once, as a list action in the portal does:
// one event each, all at the same time. It returns the ids.
func (p *Portal) MassEdit(n int) []int64 {
	p.store.mu.RLock()
	all := make([]int64, len(p.store.leads))
	for i, l := range p.store.leads {
		all[i] = l.id
	}
	p.store.mu.RUnlock()
	n = max(0, min(n, len(all)))
	p.luckMu.Lock()
	for i := range n {
		j := i + p.luck.below(len(all)-i)
		all[i], all[j] = all[j], all[i]
	}
	p.luckMu.Unlock()
	edited := make([]int64, 0, n)
	for _, id := range all[:n] {
		if p.Edit(id, nil) == nil { // else somebody deleted it meanwhile
			edited = append(edited, id)
		}
	}
	return edited
}

// RandomID is the id of some lead, the same ones in the same order for the same
// seed; false if there are no leads.
func (p *Portal) RandomID() (int64, bool) {
	p.luckMu.Lock()
	defer p.luckMu.Unlock()
	p.store.mu.RLock()
	defer p.store.mu.RUnlock()
	if len(p.store.leads) == 0 {
		return 0, false
	}
	return p.store.leads[p.luck.below(len(p.store.leads))].id, true
}

// someone is the employee who does something.
func (p *Portal) someone() int {
	p.luckMu.Lock()
	defer p.luckMu.Unlock()
	return users[p.luck.below(5)].id
}
