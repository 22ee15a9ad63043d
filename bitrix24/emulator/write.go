package emulator

import (
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// crmLeadAdd is crm.lead.add: the result is the new id, a number (docs/bitrix24.md 6.8).
func crmLeadAdd(c *call) (answer, error) {
	fields, err := c.fields()
	if err != nil {
		return answer{}, err
	}
	l := c.create(fields, c.caller.user.id, c.text("auth_connector"))
	return answer{result: l.id}, nil
}

// crmLeadUpdate is crm.lead.update: only the given fields change.
func crmLeadUpdate(c *call) (answer, error) {
	id, err := c.id()
	if err != nil {
		return answer{}, err
	}
	fields, err := c.fields()
	if err != nil {
		return answer{}, err
	}
	l := c.store.get(id)
	if l == nil {
		return answer{}, errLeadNotFound
	}
	if c.hidden(l) {
		return answer{}, errLeadDenied
	}
	if !c.change(id, fields, c.caller.user.id, c.text("auth_connector")) {
		return answer{}, errLeadNotFound
	}
	return answer{result: true}, nil
}

// crmLeadDelete is crm.lead.delete.
func crmLeadDelete(c *call) (answer, error) {
	id, err := c.id()
	if err != nil {
		return answer{}, err
	}
	l := c.store.get(id)
	if l == nil {
		return answer{}, errLeadNotFound
	}
	if c.hidden(l) {
		return answer{}, errLeadDenied
	}
	if !c.remove(id, c.caller.user.id, c.text("auth_connector")) {
		return answer{}, errLeadNotFound
	}
	return answer{result: true}, nil
}

func (c *call) fields() (*bitrix24.Form, error) {
	f := c.param("fields")
	if f == nil {
		return &bitrix24.Form{}, nil
	}
	if f.Value != "" {
		return nil, errEmptyCode("Parameter 'fields' must be array.")
	}
	return f, nil
}

// create adds a lead on behalf of a user; 0 is a robot, which has no tokens.
func (p *Portal) create(fields *bitrix24.Form, by int, connector string) *lead {
	now := p.clock.now().Unix()
	author := strconv.Itoa(max(by, 1))
	d := &draft{lead: lead{created: now, moved: now, activity: now}}
	d.put(fieldStatus, "NEW")
	d.put(fieldOpened, "Y")
	d.put(fieldCurrency, "RUB")
	for _, place := range []int{fieldAssigned, fieldCreatedBy, fieldModifiedBy, fieldMovedBy, fieldActivityBy} {
		d.put(place, author)
	}
	d.apply(fields, p.zone)
	d.settle(now)
	d.modified = now
	l := p.keep(d)
	p.fire("ONCRMLEADADD", l.id, by, connector)
	return l
}

// change edits a lead on behalf of a user; it returns false if there is no such lead.
func (p *Portal) change(id int64, fields *bitrix24.Form, by int, connector string) bool {
	now := p.clock.now().Unix()
	ok := p.store.edit(id, func(d *draft) {
		before := d.lead
		stage := first(d.fields[fieldStatus])
		d.apply(fields, p.zone)
		d.put(fieldModifiedBy, strconv.Itoa(max(by, 1)))
		d.modified = now
		if first(d.fields[fieldStatus]) != stage {
			d.moved = now
			d.put(fieldMovedBy, strconv.Itoa(max(by, 1)))
			d.settle(now)
		} else {
			d.closed = before.closed
		}
	})
	if ok {
		p.fire("ONCRMLEADUPDATE", id, by, connector)
	}
	return ok
}

// remove deletes a lead; its id is never used again.
func (p *Portal) remove(id int64, by int, connector string) bool {
	if !p.store.delete(id) {
		return false
	}
	p.fire("ONCRMLEADDELETE", id, by, connector)
	return true
}

// settle closes or opens a lead according to its stage.
func (d *draft) settle(now int64) {
	if semantics(first(d.fields[fieldStatus])) == "P" {
		d.closed = 0
	} else if d.closed == 0 {
		d.closed = now
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// apply sets the given fields. Like a portal it ignores unknown and read-only ones
// (docs/bitrix24.md 6.8).
func (d *draft) apply(fields *bitrix24.Form, zone *time.Location) {
	for _, f := range fields.Children {
		name := strings.ToUpper(f.Name)
		if which, ok := multiByName(name); ok {
			d.applyMulti(which, f)
			continue
		}
		place, ok := fieldByName[name]
		switch {
		case !ok || place < standardFields && leadFields[place].readOnly:
		case place < standardFields:
			d.put(place, normal(leadFields[place].kind, f.Value))
		default:
			d.applyCustom(place, f, zone)
		}
	}
	if first(d.fields[fieldCompanyID]) > "0" || first(d.fields[fieldContactID]) > "0" {
		d.put(fieldReturn, "Y")
	}
}

// normal is a value as the portal stores it.
func normal(k kind, value string) string {
	switch k {
	case kindDouble:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(n, 'f', 2, 64)
	case kindRef:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatInt(n, 10)
	case kindDate:
		t, ok := parseTime(value, time.UTC, true)
		if !ok {
			return ""
		}
		return t.Format(time.DateOnly)
	case kindFlag:
		return yesNo(value == "Y" || value == "1")
	default:
		return value
	}
}

func (d *draft) applyCustom(place int, f *bitrix24.Form, zone *time.Location) {
	uf := &userFields[place-standardFields]
	values := []string{f.Value}
	if uf.multiple && len(f.Children) > 0 {
		values = values[:0]
		for _, c := range f.Children {
			values = append(values, c.Value)
		}
	}
	d.fields[place] = nil
	for _, v := range values {
		switch uf.typ {
		case "boolean":
			if v != "1" && v != "Y" {
				v = ""
			} else {
				v = "1"
			}
		case "datetime":
			if t, ok := parseTime(v, zone, false); ok {
				v = t.In(zone).Format(time.RFC3339)
			} else {
				v = ""
			}
		}
		if v != "" {
			d.fields[place] = append(d.fields[place], v)
		}
	}
}

// applyMulti sets rows of a multifield: a row without an id adds one, a row with an id changes
// it, DELETE or an empty VALUE removes it. Rows that are not mentioned stay
// (docs/bitrix24.md 7).
func (d *draft) applyMulti(which int, f *bitrix24.Form) {
	for _, row := range f.Children {
		id, _ := strconv.ParseInt(rowText(row, "ID"), 10, 64)
		value := row.Fold("VALUE")
		valueType := rowText(row, "VALUE_TYPE")
		at := -1
		for i, m := range d.multis[which] {
			if id != 0 && m.id == id {
				at = i
			}
		}
		switch {
		case id == 0 && value != nil && value.Value != "":
			if valueType == "" {
				valueType = "WORK"
			}
			d.multis[which] = append(d.multis[which], multifield{valueType: valueType, value: value.Value})
		case at < 0:
		case rowText(row, "DELETE") == "Y", value != nil && value.Value == "":
			d.multis[which] = append(d.multis[which][:at], d.multis[which][at+1:]...)
		default:
			if value != nil {
				d.multis[which][at].value = value.Value
			}
			if valueType != "" {
				d.multis[which][at].valueType = valueType
			}
		}
	}
}

func rowText(row *bitrix24.Form, name string) string {
	if f := row.Fold(name); f != nil {
		return f.Value
	}
	return ""
}
