package emulator

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"time"

	"leadsync/handlers/language"
)

// source is the web page for demos. It loads nothing from other servers.
//
//go:embed page.html
var source string

// inEnglish and inRussian are the page as browsers get it.
var inEnglish, inRussian = page(language.English), page(language.Russian)

func page(lang string) []byte {
	say := func(text string) string { return language.Say(lang, text) }
	var b bytes.Buffer
	if err := template.Must(template.New("page").Funcs(template.FuncMap{"t": say}).Parse(source)).Execute(&b, lang); err != nil {
		panic(err) // the page is wrong, whatever the portal: every test sees it
	}
	return b.Bytes()
}

func showPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src data:")
	w.Header().Set("Vary", "Accept-Language")
	body := inEnglish
	if language.Of(r, "") == language.Russian {
		body = inRussian
	}
	_, _ = w.Write(body) // it fails only if the caller is gone
}

// recent remembers which leads changed last.
type recent struct {
	mu  sync.Mutex
	ids []int64 // newest last
}

const shownLeads = 20

func (r *recent) touch(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.ids, id); i >= 0 {
		r.ids = slices.Delete(r.ids, i, i+1)
	}
	if len(r.ids) == 2*shownLeads {
		r.ids = slices.Delete(r.ids, 0, 1)
	}
	r.ids = append(r.ids, id)
}

// shown are the leads on the page: those that changed last, then the newest ones.
func (p *Portal) shown() []*lead {
	p.recent.mu.Lock()
	ids := slices.Clone(p.recent.ids)
	p.recent.mu.Unlock()
	slices.Reverse(ids)
	var leads []*lead
	for _, id := range ids {
		if l := p.store.get(id); l != nil && len(leads) < shownLeads {
			leads = append(leads, l)
		}
	}
	newest, _ := p.store.page(&query{low: 1, high: 1<<63 - 1, order: []ordering{{fieldID, true}}}, -1)
	for _, l := range newest {
		if len(leads) < shownLeads && !slices.Contains(ids, l.id) {
			leads = append(leads, l)
		}
	}
	return leads
}

// state is what the page shows.
type state struct {
	Info           Info               `json:"info"`
	Now            time.Time          `json:"now"`
	Leads          []json.RawMessage  `json:"leads"`
	Total          int                `json:"total"`
	Callbacks      []Callback         `json:"callbacks"`
	Handlers       []string           `json:"handlers"`
	Stats          Stats              `json:"stats"`
	Faults         Faults             `json:"faults"`
	Choices        faultChoices       `json:"choices"`
	Users          []employee         `json:"users"`
	Limits         bool               `json:"limits"`
	Bucket         float64            `json:"bucket"`
	Threshold      float64            `json:"threshold"`
	Operating      map[string]float64 `json:"operating"`
	OperatingLimit float64            `json:"operating_limit"`
}

type faultChoices = map[string][]string

// employee is a user as the page shows him.
type employee struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Admin   bool   `json:"admin"`
	Blocked bool   `json:"blocked"`
}

// employees are the users who could log in, with the rights that they have now.
func (p *Portal) employees() []employee {
	var all []employee
	for i := range users {
		if u := p.employee(users[i].id); u.id != systemUser {
			all = append(all, employee{ID: u.id, Name: u.name + " " + u.lastName, Admin: u.admin, Blocked: u.blocked})
		}
	}
	return all
}

func (p *Portal) showState(w http.ResponseWriter, r *http.Request) {
	now := p.clock.now()
	s := state{
		Info: p.Info(), Now: now.In(p.zone), Stats: p.Stats(), Faults: p.Faults(),
		Choices: FaultChoices(), Users: p.employees(),
		Limits: p.limited(), Bucket: p.buckets.fullest(now), Threshold: p.buckets.threshold,
		Operating: p.operating.snapshot(now), OperatingLimit: p.operating.limit,
		Leads: []json.RawMessage{}, Handlers: []string{},
	}
	v := p.fullView("")
	for _, l := range p.shown() {
		s.Leads = append(s.Leads, v.appendLead(nil, l))
	}
	p.store.mu.RLock()
	s.Total = len(p.store.leads)
	p.store.mu.RUnlock()
	s.Callbacks = p.queue.newest(40)
	for _, b := range p.bindings.list() {
		to := b.handler
		if b.offline {
			to = language.Say(language.Of(r, ""), "offline queue")
		}
		s.Handlers = append(s.Handlers, b.event+" → "+to)
	}
	showJSON(w, s)
}

// newest are the last n callbacks, newest first.
func (q *queue) newest(n int) []Callback {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Callback, 0, n)
	for i := range min(n, len(q.past)) {
		all = append(all, q.past[(q.oldest+len(q.past)-1-i)%len(q.past)])
	}
	return all
}
