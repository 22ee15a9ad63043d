package emulator

import (
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// maker makes believable leads up: Russian and Latin names, phones in the many
// ways people type them, campaigns, custom fields, several values. The n-th lead
// of a seed is always the same one.
type maker struct {
	seed  uint64
	made  uint64
	files bool
}

// firstDay is when the portal began. The dates of the leads it starts with hang
// on nothing but the seed.
var firstDay = time.Date(2021, 3, 1, 6, 0, 0, 0, time.UTC).Unix()

const portalAge = 5*365*24*3600 + 200*24*3600 // seconds from firstDay to the newest lead at the start

// fill puts the leads into the store that it starts with, with the gaps in their
// ids that deletions leave.
func (m *maker) fill(s *store, n int) {
	s.leads = make([]*lead, 0, n+n/16+64)
	var ids dice
	ids.state = m.seed
	id := int64(0)
	for i := range n {
		created := firstDay + int64(float64(i)/float64(n)*portalAge)
		d := m.draft(created)
		id++
		if ids.below(16) == 0 {
			id += int64(1 + ids.below(3))
		}
		d.id, s.lastID = id, id
		s.number(d)
		s.leads = append(s.leads, d.pack())
	}
}

// draft makes the next lead up, created at that unix time.
func (m *maker) draft(created int64) *draft {
	d := newDice(m.seed, useLeads<<56+m.made)
	m.made++
	l := &draft{lead: lead{created: created, moved: created, modified: created, activity: created}}
	p := somebody(d)
	m.person(l, d, p)
	m.contact(l, d, p)
	m.origin(l, d)
	m.progress(l, d)
	m.custom(l, d)
	return l
}

// happenNow moves a lead's whole history into the moment of its creation: nothing can
// have been changed in the future.
func (l *draft) happenNow(now int64) {
	l.moved, l.modified, l.activity = now, now, now
	if l.closed != 0 {
		l.closed = now
	}
}

// person is who asks: name, company, post, birthday.
func (m *maker) person(l *draft, d *dice, p person) {
	l.put(fieldName, p.name)
	l.put(fieldLastName, p.lastName)
	l.put(fieldSecondName, p.secondName)
	if d.chance(0.15) {
		l.put(fieldHonorific, p.honorific)
	}
	if d.chance(0.55) {
		l.put(fieldCompanyTitle, p.company)
	}
	if d.chance(0.3) {
		l.put(fieldPost, pick(d, p.posts()))
	}
	if d.chance(0.12) {
		day := time.Date(1955+d.below(50), time.Month(1+d.below(12)), 1+d.below(28), 0, 0, 0, 0, time.UTC)
		l.put(fieldBirthdate, day.Format(time.DateOnly))
	}
	switch title := d.below(5); {
	case title == 0:
		l.put(fieldTitle, "Лид #"+strconv.Itoa(d.below(90000)+10000))
	case title == 1 && p.company != "":
		l.put(fieldTitle, p.company)
	case title == 2:
		l.put(fieldTitle, "Заявка с сайта: "+pick(d, wishes))
	case title == 3:
		l.put(fieldTitle, pick(d, wishes)+" — "+strings.TrimSpace(p.name+" "+p.lastName))
	default:
		l.put(fieldTitle, strings.TrimSpace(p.lastName+" "+p.name+" "+p.secondName))
	}
}

// contact are the ways to reach somebody.
func (m *maker) contact(l *draft, d *dice, p person) {
	add := func(which int, valueType, value string) {
		l.multis[which] = append(l.multis[which], multifield{valueType: valueType, value: value})
	}
	for range pick(d, []int{0, 1, 1, 1, 1, 1, 1, 2, 2, 3}) {
		add(multiPhone, pick(d, phoneTypes), phone(d, p.latin))
	}
	if d.chance(0.55) {
		add(multiEmail, pick(d, emailTypes), email(d, p))
	}
	if d.chance(0.06) {
		add(multiEmail, "WORK", "info@"+latin(strings.ToLower(p.lastName))+".ru")
	}
	if d.chance(0.07) {
		add(multiWeb, "WORK", "https://"+latin(strings.ToLower(p.lastName))+pick(d, domains))
	}
	if d.chance(0.12) {
		add(multiIM, "TELEGRAM", "@"+latin(strings.ToLower(p.name+"_"+p.lastName)))
	} else if d.chance(0.08) {
		add(multiIM, "OPENLINE", "imol|livechat|1|"+strconv.Itoa(d.below(500))+"|"+strconv.Itoa(d.below(90)))
	}
	if d.chance(0.01) {
		add(multiLink, "USER", "https://example.com/line/"+d.hex(8))
	}
	if d.chance(0.18) {
		c := pick(d, cities)
		l.put(fieldCity, c.name)
		l.put(fieldRegion, c.region)
		l.put(fieldCountry, c.country)
		l.put(fieldPostalCode, c.postal)
		l.put(fieldAddress, c.street+", "+strconv.Itoa(1+d.below(120)))
		if d.chance(0.3) {
			l.put(fieldAddress2, "кв. "+strconv.Itoa(1+d.below(300)))
		}
		l.put(fieldLocation, strconv.Itoa(1+d.below(9000)))
	}
}

// origin is where the lead came from.
func (m *maker) origin(l *draft, d *dice) {
	l.put(fieldSource, pick(d, sources))
	l.put(fieldOpened, yesNo(d.chance(0.9)))
	l.put(fieldCurrency, pick(d, []string{"RUB", "RUB", "RUB", "RUB", "RUB", "USD", "EUR", "KZT", "BYN"}))
	if d.chance(0.35) {
		l.put(fieldUTMSource, pick(d, []string{"yandex", "google", "vk", "telegram", "rassylka", "2gis"}))
		l.put(fieldUTMMedium, pick(d, []string{"cpc", "cpm", "organic", "social", "email"}))
		l.put(fieldUTMCampaign, pick(d, campaigns))
		if d.chance(0.5) {
			l.put(fieldUTMContent, "ad_"+strconv.Itoa(d.below(1e6)))
			l.put(fieldUTMTerm, pick(d, wishes))
		}
	}
	if d.chance(0.2) {
		l.put(fieldSourceText, pick(d, remarks))
	}
	if d.chance(0.25) {
		l.put(fieldComments, pick(d, remarks))
	}
	if d.chance(0.05) {
		l.put(fieldOriginator, "1C")
		l.put(fieldOrigin, d.hex(12))
	}
	switch d.below(6) { // empty references are null here and "0" there (docs/bitrix24.md 6.2)
	case 0:
		l.put(fieldContactID, strconv.Itoa(1+d.below(5000)))
		l.put(fieldCompanyID, "0")
		l.put(fieldReturn, "Y")
	case 1:
		l.put(fieldCompanyID, "0")
		l.put(fieldContactID, "0")
	}
	for _, place := range []int{fieldAssigned, fieldCreatedBy, fieldModifiedBy, fieldMovedBy, fieldActivityBy} {
		l.put(place, strconv.Itoa(users[d.below(5)].id))
	}
}

// progress is what became of it.
func (m *maker) progress(l *draft, d *dice) {
	stage := pick(d, stages)
	l.put(fieldStatus, stage)
	if d.chance(0.5) {
		l.put(fieldOpportunity, strconv.Itoa(d.below(400)*500)+pick(d, []string{".00", ".00", ".00", ".50", ".99"}))
		l.put(fieldManual, yesNo(d.chance(0.7)))
	}
	if d.chance(0.1) {
		l.put(fieldStatusText, pick(d, remarks))
	}
	if stage != "NEW" {
		l.moved += int64(d.below(20 * 24 * 3600))
		l.modified = l.moved + int64(d.below(3600))
		l.activity = l.moved
		l.settle(l.moved)
	}
}

// custom fills custom fields, most leads have one or two.
func (m *maker) custom(l *draft, d *dice) {
	set := func(uf int, values ...string) { l.fields[standardFields+uf] = values }
	if d.chance(0.4) {
		set(ufSolution, pick(d, solutions))
	}
	if d.chance(0.15) {
		set(ufNote, pick(d, remarks))
	}
	if d.chance(0.2) {
		set(ufBudget, strconv.Itoa(1000*(1+d.below(900)))+"|RUB")
	}
	if d.chance(0.3) {
		set(ufConsent, "1")
	}
	if d.chance(0.1) {
		set(ufIndustry, "IT", "MANUFACTURING")
	}
	if d.chance(0.12) {
		radio := userFields[ufRadio].options
		a, b := d.below(len(radio)), d.below(len(radio))
		set(ufRadio, radio[a].id)
		if a != b {
			set(ufRadio, radio[a].id, radio[b].id)
		}
	}
	if d.chance(0.05) {
		set(ufGreeting, "Hello, world!", pick(d, remarks))
	}
	if d.chance(0.1) {
		at := time.Unix(l.created+int64(d.below(30*24*3600)), 0).In(time.FixedZone("", 3*3600))
		set(ufNextCall, at.Format(time.RFC3339))
	}
	if d.chance(0.08) {
		set(ufLinks, "D_"+strconv.Itoa(1+d.below(900)), "C_"+strconv.Itoa(1+d.below(5000)))
	}
	if m.files && d.chance(0.1) {
		set(ufFiles, strconv.Itoa(4000+d.below(9000)))
	}
}

// believableEdit is what an employee changes: the stage, the sum, a remark, a
// phone more, the person in charge.
func (p *Portal) believableEdit() *bitrix24.Form {
	p.luckMu.Lock()
	defer p.luckMu.Unlock()
	d, f := p.luck, &bitrix24.Form{}
	switch d.below(6) {
	case 0:
		f.Add("STATUS_ID", pick(d, stages))
	case 1:
		f.Add("OPPORTUNITY", strconv.Itoa(d.below(900)*100))
	case 2:
		f.Add("COMMENTS", pick(d, remarks)+" ("+strconv.Itoa(d.below(1000))+")")
	case 3:
		row := f.Add("PHONE", "").Add("0", "")
		row.Add("VALUE", phone(d, d.chance(0.2)))
		row.Add("VALUE_TYPE", pick(d, phoneTypes))
	case 4:
		f.Add("ASSIGNED_BY_ID", strconv.Itoa(users[d.below(5)].id))
	default:
		f.Add("UF_CRM_1387525788", pick(d, solutions))
	}
	return f
}
