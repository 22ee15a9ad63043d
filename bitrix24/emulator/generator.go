package emulator

import (
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// generator generates realistic leads: Russian and Latin names, phone numbers in the many
// ways in which people type them, campaigns, custom fields, several values. The n-th lead of
// a seed is always the same.
type generator struct {
	seed  uint64
	made  uint64
	files bool
}

// firstDay is when the portal was created. The dates of the leads it starts with depend only
// on the seed.
var firstDay = time.Date(2021, 3, 1, 6, 0, 0, 0, time.UTC).Unix()

const portalAge = 5*365*24*3600 + 200*24*3600 // seconds from firstDay to the newest lead at the start

// fill adds n leads to an empty store, with gaps between their ids as deletions leave them.
func (g *generator) fill(s *store, n int) {
	s.leads = make([]*lead, 0, n+n/16+64)
	var ids rng
	ids.state = g.seed
	id := int64(0)
	for i := range n {
		created := firstDay + int64(float64(i)/float64(n)*portalAge)
		d := g.draft(created)
		id++
		if ids.below(16) == 0 {
			id += int64(1 + ids.below(3))
		}
		d.id, s.lastID = id, id
		s.number(d)
		s.leads = append(s.leads, d.pack())
	}
}

// draft generates the next lead, created at that unix time.
func (g *generator) draft(created int64) *draft {
	r := newRNG(g.seed, useLeads<<56+g.made)
	g.made++
	l := &draft{lead: lead{created: created, moved: created, modified: created, activity: created}}
	p := somebody(r)
	g.person(l, r, p)
	g.contact(l, r, p)
	g.origin(l, r)
	g.progress(l, r)
	g.custom(l, r)
	return l
}

// collapseHistory moves a lead's whole history into the moment of its creation, so that no
// date is in the future.
func (l *draft) collapseHistory(now int64) {
	l.moved, l.modified, l.activity = now, now, now
	if l.closed != 0 {
		l.closed = now
	}
}

// person fills in who asks: name, company, position, birthday.
func (g *generator) person(l *draft, r *rng, p person) {
	l.put(fieldName, p.name)
	l.put(fieldLastName, p.lastName)
	l.put(fieldSecondName, p.secondName)
	if r.chance(0.15) {
		l.put(fieldHonorific, p.honorific)
	}
	if r.chance(0.55) {
		l.put(fieldCompanyTitle, p.company)
	}
	if r.chance(0.3) {
		l.put(fieldPost, pick(r, p.posts()))
	}
	if r.chance(0.12) {
		day := time.Date(1955+r.below(50), time.Month(1+r.below(12)), 1+r.below(28), 0, 0, 0, 0, time.UTC)
		l.put(fieldBirthdate, day.Format(time.DateOnly))
	}
	switch title := r.below(5); {
	case title == 0:
		l.put(fieldTitle, "Лид #"+strconv.Itoa(r.below(90000)+10000))
	case title == 1 && p.company != "":
		l.put(fieldTitle, p.company)
	case title == 2:
		l.put(fieldTitle, "Заявка с сайта: "+pick(r, wishes))
	case title == 3:
		l.put(fieldTitle, pick(r, wishes)+" — "+strings.TrimSpace(p.name+" "+p.lastName))
	default:
		l.put(fieldTitle, strings.TrimSpace(p.lastName+" "+p.name+" "+p.secondName))
	}
}

// contact fills in phones, addresses and the like.
func (g *generator) contact(l *draft, r *rng, p person) {
	add := func(which int, valueType, value string) {
		l.multis[which] = append(l.multis[which], multifield{valueType: valueType, value: value})
	}
	for range pick(r, []int{0, 1, 1, 1, 1, 1, 1, 2, 2, 3}) {
		add(multiPhone, pick(r, phoneTypes), phone(r, p.latin))
	}
	if r.chance(0.55) {
		add(multiEmail, pick(r, emailTypes), email(r, p))
	}
	if r.chance(0.06) {
		add(multiEmail, "WORK", "info@"+latin(strings.ToLower(p.lastName))+".ru")
	}
	if r.chance(0.07) {
		add(multiWeb, "WORK", "https://"+latin(strings.ToLower(p.lastName))+pick(r, domains))
	}
	if r.chance(0.12) {
		add(multiIM, "TELEGRAM", "@"+latin(strings.ToLower(p.name+"_"+p.lastName)))
	} else if r.chance(0.08) {
		add(multiIM, "OPENLINE", "imol|livechat|1|"+strconv.Itoa(r.below(500))+"|"+strconv.Itoa(r.below(90)))
	}
	if r.chance(0.01) {
		add(multiLink, "USER", "https://example.com/line/"+r.hex(8))
	}
	if r.chance(0.18) {
		c := pick(r, cities)
		l.put(fieldCity, c.name)
		l.put(fieldRegion, c.region)
		l.put(fieldCountry, c.country)
		l.put(fieldPostalCode, c.postal)
		l.put(fieldAddress, c.street+", "+strconv.Itoa(1+r.below(120)))
		if r.chance(0.3) {
			l.put(fieldAddress2, "кв. "+strconv.Itoa(1+r.below(300)))
		}
		l.put(fieldLocation, strconv.Itoa(1+r.below(9000)))
	}
}

// origin fills in where the lead came from.
func (g *generator) origin(l *draft, r *rng) {
	l.put(fieldSource, pick(r, sources))
	l.put(fieldOpened, yesNo(r.chance(0.9)))
	l.put(fieldCurrency, pick(r, []string{"RUB", "RUB", "RUB", "RUB", "RUB", "USD", "EUR", "KZT", "BYN"}))
	if r.chance(0.35) {
		l.put(fieldUTMSource, pick(r, []string{"yandex", "google", "vk", "telegram", "rassylka", "2gis"}))
		l.put(fieldUTMMedium, pick(r, []string{"cpc", "cpm", "organic", "social", "email"}))
		l.put(fieldUTMCampaign, pick(r, campaigns))
		if r.chance(0.5) {
			l.put(fieldUTMContent, "ad_"+strconv.Itoa(r.below(1e6)))
			l.put(fieldUTMTerm, pick(r, wishes))
		}
	}
	if r.chance(0.2) {
		l.put(fieldSourceText, pick(r, remarks))
	}
	if r.chance(0.25) {
		l.put(fieldComments, pick(r, remarks))
	}
	if r.chance(0.05) {
		l.put(fieldOriginator, "1C")
		l.put(fieldOrigin, r.hex(12))
	}
	switch r.below(6) { // empty references are null or "0" (docs/bitrix24.md 6.2)
	case 0:
		l.put(fieldContactID, strconv.Itoa(1+r.below(5000)))
		l.put(fieldCompanyID, "0")
		l.put(fieldReturn, "Y")
	case 1:
		l.put(fieldCompanyID, "0")
		l.put(fieldContactID, "0")
	}
	for _, place := range []int{fieldAssigned, fieldCreatedBy, fieldModifiedBy, fieldMovedBy, fieldActivityBy} {
		l.put(place, strconv.Itoa(users[r.below(5)].id))
	}
}

// progress fills in the stage, the amount and their dates.
func (g *generator) progress(l *draft, r *rng) {
	stage := pick(r, stages)
	l.put(fieldStatus, stage)
	if r.chance(0.5) {
		l.put(fieldOpportunity, strconv.Itoa(r.below(400)*500)+pick(r, []string{".00", ".00", ".00", ".50", ".99"}))
		l.put(fieldManual, yesNo(r.chance(0.7)))
	}
	if r.chance(0.1) {
		l.put(fieldStatusText, pick(r, remarks))
	}
	if stage != "NEW" {
		l.moved += int64(r.below(20 * 24 * 3600))
		l.modified = l.moved + int64(r.below(3600))
		l.activity = l.moved
		l.settle(l.moved)
	}
}

// custom fills in custom fields; most leads have one or two.
func (g *generator) custom(l *draft, r *rng) {
	set := func(uf int, values ...string) { l.fields[standardFields+uf] = values }
	if r.chance(0.4) {
		set(ufSolution, pick(r, solutions))
	}
	if r.chance(0.15) {
		set(ufNote, pick(r, remarks))
	}
	if r.chance(0.2) {
		set(ufBudget, strconv.Itoa(1000*(1+r.below(900)))+"|RUB")
	}
	if r.chance(0.3) {
		set(ufConsent, "1")
	}
	if r.chance(0.1) {
		set(ufIndustry, "IT", "MANUFACTURING")
	}
	if r.chance(0.12) {
		radio := userFields[ufRadio].options
		a, b := r.below(len(radio)), r.below(len(radio))
		set(ufRadio, radio[a].id)
		if a != b {
			set(ufRadio, radio[a].id, radio[b].id)
		}
	}
	if r.chance(0.05) {
		set(ufGreeting, "Hello, world!", pick(r, remarks))
	}
	if r.chance(0.1) {
		at := time.Unix(l.created+int64(r.below(30*24*3600)), 0).In(time.FixedZone("", 3*3600))
		set(ufNextCall, at.Format(time.RFC3339))
	}
	if r.chance(0.08) {
		set(ufLinks, "D_"+strconv.Itoa(1+r.below(900)), "C_"+strconv.Itoa(1+r.below(5000)))
	}
	if g.files && r.chance(0.1) {
		set(ufFiles, strconv.Itoa(4000+r.below(9000)))
	}
}

// randomEdit is what an employee may change: the stage, the amount, a comment, another
// phone, the responsible user.
func (p *Portal) randomEdit() *bitrix24.Form {
	p.rngMu.Lock()
	defer p.rngMu.Unlock()
	r, f := p.rng, &bitrix24.Form{}
	switch r.below(6) {
	case 0:
		f.Add("STATUS_ID", pick(r, stages))
	case 1:
		f.Add("OPPORTUNITY", strconv.Itoa(r.below(900)*100))
	case 2:
		f.Add("COMMENTS", pick(r, remarks)+" ("+strconv.Itoa(r.below(1000))+")")
	case 3:
		row := f.Add("PHONE", "").Add("0", "")
		row.Add("VALUE", phone(r, r.chance(0.2)))
		row.Add("VALUE_TYPE", pick(r, phoneTypes))
	case 4:
		f.Add("ASSIGNED_BY_ID", strconv.Itoa(users[r.below(5)].id))
	default:
		f.Add("UF_CRM_1387525788", pick(r, solutions))
	}
	return f
}
