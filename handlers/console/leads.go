package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

const (
	callersShown = 50
	// mostText is how much of a field is shown, in characters.
	mostText = 2000
	// mostChange is the same of a value in a list of changes.
	mostChange = 200
)

// Leads finds leads of the mirror.
type Leads interface {
	Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error)
	Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error)
}

// leadPages find leads and show them, with what happened to them.
type leadPages struct {
	leads       Leads
	stories     Stories
	status      Status
	phoneRegion string
	now         func() time.Time
}

func (p leadPages) routes() map[string]route {
	return map[string]route{
		"GET /leads":                        find(p.search),
		"GET /leads/{member}/{id}":          find(p.lead),
		"POST /leads/{member}/{id}/compare": find(p.compare),
		"POST /leads/{member}/{id}/repair":  find(p.repair),
	}
}

type searchData struct {
	Query   string
	Found   []leads.Caller
	Asked   bool           // something that can be looked up
	Portals []PortalStatus // where a lead of that id was looked for and not found
	ID      int64
	Nothing bool              // what was asked for is neither an id nor a number
	Hosts   map[string]string // of portals, by member_id
}

// hosts are the host names of portals.
func (p leadPages) hosts(ctx context.Context) map[string]string {
	o, err := readPortals(ctx, p.status)
	if err != nil {
		return nil // pages do without
	}
	hosts := map[string]string{}
	for _, portal := range o.Portals {
		hosts[portal.MemberID] = portal.Domain
	}
	return hosts
}

// search finds leads by id, in every portal, and by telephone number.
func (p leadPages) search(r *http.Request) (view, error) {
	d := searchData{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	if d.Query == "" {
		return view{page: "search", data: d}, nil
	}
	if id, err := leads.ParseID(d.Query); err == nil {
		d.Asked = true
		o, err := readPortals(r.Context(), p.status)
		if err != nil {
			return view{}, err
		}
		for _, portal := range o.Portals {
			card, ok, err := p.leads.Card(r.Context(), leads.Ref{MemberID: portal.MemberID, LeadID: id})
			if err != nil {
				return view{}, err
			}
			if ok {
				d.Found = append(d.Found, card.Caller)
			}
			d.ID, d.Portals = id, o.Portals
		}
	}
	if digits, ok := leads.CallerDigits(d.Query, p.phoneRegion); ok {
		d.Asked = true
		callers, err := p.leads.Callers(r.Context(), digits, callersShown)
		if err != nil {
			return view{}, err
		}
		d.Found = append(d.Found, callers...)
	}
	d.Nothing, d.Hosts = !d.Asked, p.hosts(r.Context())
	if len(d.Found) == 1 {
		return seeOther(leadPath(d.Found[0].MemberID, d.Found[0].LeadID))
	}
	return view{page: "search", data: d}, nil
}

func leadPath(member string, id int64) string {
	return "/leads/" + url.PathEscape(member) + "/" + strconv.FormatInt(id, 10)
}

// refOf is the lead that an address names.
func refOf(r *http.Request) (leads.Ref, error) {
	id, err := leads.ParseID(r.PathValue("id"))
	if err != nil || !leads.ValidMemberID(r.PathValue("member")) {
		return leads.Ref{}, ErrNotFound
	}
	return leads.Ref{MemberID: leads.CanonicalMemberID(r.PathValue("member")), LeadID: id}, nil
}

// field is a field of a card.
type field struct{ Name, Value string }

type leadData struct {
	leads.Card

	Known    bool // the mirror has the lead, or its tombstone
	Domain   string
	Fields   []field
	Story    story
	Changes  []leads.Revised
	Compared *Comparison // nil where nobody asked for it
}

// lead shows one lead as the mirror has it, and what happened to it. Of a lead that never came
// there is still something to tell.
func (p leadPages) lead(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	card, ok, err := p.leads.Card(r.Context(), ref)
	if err != nil {
		return view{}, err
	}
	if !ok {
		card = leads.Card{}
	}
	card.MemberID, card.LeadID = ref.MemberID, ref.LeadID
	d := leadData{Card: card, Known: ok, Fields: fieldsOf(card.Lead), Domain: p.hosts(r.Context())[ref.MemberID]}
	if d.Story, err = p.story(r, ref); err != nil {
		return view{}, err
	}
	d.Changes, err = p.stories.Changes(r.Context(), ref, changesShown)
	return view{page: "lead", data: d}, err
}

// fieldsOf are the fields that the portal sent, by name, without those that are empty.
func fieldsOf(card json.RawMessage) []field {
	var all map[string]json.RawMessage
	if json.Unmarshal(card, &all) != nil {
		return nil // an adopted row has no card
	}
	var fields []field
	for name, raw := range all {
		value := string(raw)
		var text string
		if json.Unmarshal(raw, &text) == nil {
			value = text
		}
		if value != "" && value != "null" && value != "[]" {
			fields = append(fields, field{name, cut(value, mostText)})
		}
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return fields
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
