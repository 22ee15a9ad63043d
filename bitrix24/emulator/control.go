package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"leadsync/bitrix24"
	"leadsync/handlers/language"
)

// control adds the control surface /_portal/…, by which tests and demos change the portal.
func (p *Portal) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", showPage)
	mux.HandleFunc("GET /_portal/state", p.showState)
	mux.HandleFunc("GET /_portal/info", func(w http.ResponseWriter, _ *http.Request) { showJSON(w, p.Info()) })
	mux.HandleFunc("GET /_portal/leads", p.showLeads)
	mux.HandleFunc("POST /_portal/leads", p.postLeads)
	mux.HandleFunc("PATCH /_portal/leads/{id}", p.patchLead)
	mux.HandleFunc("DELETE /_portal/leads/{id}", p.deleteLead)
	mux.HandleFunc("PUT /_portal/fields/{name}", p.putField)
	mux.HandleFunc("DELETE /_portal/fields/{name}", p.removeField)
	mux.HandleFunc("POST /_portal/install", p.postInstall)
	mux.HandleFunc("POST /_portal/recreate", p.postRecreate)
	mux.HandleFunc("POST /_portal/webhook", p.postWebhook)
	mux.HandleFunc("POST /_portal/robot", p.postRobot)
	mux.HandleFunc("POST /_portal/open-app", p.postOpenApp)
	mux.HandleFunc("POST /_portal/{what}", p.postApp)
	mux.HandleFunc("GET /_portal/stats", func(w http.ResponseWriter, _ *http.Request) { showJSON(w, p.Stats()) })
	mux.HandleFunc("GET /_portal/callbacks", p.showCallbacks)
	mux.HandleFunc("GET /_portal/faults", func(w http.ResponseWriter, _ *http.Request) { showJSON(w, p.Faults()) })
	mux.HandleFunc("PUT /_portal/faults", p.putFaults)
	mux.HandleFunc("GET /_portal/clock", p.showClock)
	mux.HandleFunc("PUT /_portal/clock", p.putClock)
}

func showJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, append(body, '\n'))
}

// clickError is what somebody who clicks on the page can cause; the others are mistakes of programs.
type clickError struct {
	format string
	args   []any
}

func (e clickError) Error() string { return fmt.Sprintf(e.format, e.args...) }

// complain answers a wrong request to the control surface, in the language of the page.
func complain(w http.ResponseWriter, r *http.Request, status int, err error) {
	lang, text := language.Of(r, ""), err.Error()
	if click, ok := errors.AsType[clickError](err); ok {
		text = language.Say(lang, click.format, click.args...)
	} else if errors.Is(err, ErrNoLead) {
		text = language.Say(lang, "the portal has no such lead")
	}
	body, _ := json.Marshal(map[string]string{"error": text})
	writeJSON(w, status, append(body, '\n'))
}

// readJSON reads a small JSON body. An unknown key is an error, so that a typing mistake is
// noticed.
func readJSON(r *http.Request, to any) error {
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// showLeads shows every lead as crm.lead.get does, one in a line.
func (p *Portal) showLeads(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 1<<16)
	for _, lead := range p.Leads() {
		_, _ = out.Write(lead)
		_ = out.WriteByte('\n')
	}
	_ = out.Flush() // it fails only if the caller is gone
}

// postLeads adds {"count":n} generated leads, or one with {"fields":{…}}.
func (p *Portal) postLeads(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Count  int             `json:"count"`
		Fields json.RawMessage `json:"fields"`
	}
	if err := readJSON(r, &ask); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	var ids []int64
	if len(ask.Fields) > 0 {
		fields, err := fieldsForm(ask.Fields)
		if err != nil {
			complain(w, r, http.StatusBadRequest, err)
			return
		}
		ids = append(ids, p.create(fields, users[0].id, "").id)
	} else {
		ids = p.Add(max(ask.Count, 1))
	}
	showJSON(w, map[string]any{"ids": ids})
}

// fieldsForm reads a JSON object of fields as crm.lead.update does.
func fieldsForm(fields json.RawMessage) (*bitrix24.Form, error) {
	form := &bitrix24.Form{}
	if !bytes.HasPrefix(bytes.TrimSpace(fields), []byte("{")) {
		return nil, errors.New(`fields: not a JSON object, want {"NAME":"…"}`)
	}
	return form, addJSON(form, fields)
}

// patchLead edits a lead: with {"fields":{…}} those fields, otherwise a random one.
func (p *Portal) patchLead(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Fields json.RawMessage `json:"fields"`
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err == nil {
		err = readJSON(r, &ask)
	}
	if err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if len(ask.Fields) == 0 {
		err = p.Edit(id, nil)
	} else {
		var fields *bitrix24.Form
		if fields, err = fieldsForm(ask.Fields); err != nil {
			complain(w, r, http.StatusBadRequest, err)
			return
		}
		err = p.changeAs(id, fields, users[0].id)
	}
	if err != nil {
		complain(w, r, http.StatusNotFound, err)
		return
	}
	showJSON(w, map[string]any{"id": id})
}

func (p *Portal) deleteLead(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if err := p.Delete(id); err != nil {
		complain(w, r, http.StatusNotFound, err)
		return
	}
	showJSON(w, map[string]any{"id": id})
}

// putField adds a custom field, or changes its title and type: {"label":"…","type":"date",
// "multiple":true}.
func (p *Portal) putField(w http.ResponseWriter, r *http.Request) {
	var f CustomField
	err := readJSON(r, &f)
	if err == nil {
		f.Name = r.PathValue("name")
		err = p.SetCustomField(f)
	}
	if err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	showJSON(w, f)
}

func (p *Portal) removeField(w http.ResponseWriter, r *http.Request) {
	if err := p.RemoveCustomField(r.PathValue("name")); err != nil {
		complain(w, r, http.StatusNotFound, err)
		return
	}
	showJSON(w, map[string]any{"name": r.PathValue("name")})
}

// postWebhook creates the outgoing webhook, or with {"each":true} one for each event.
func (p *Portal) postWebhook(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
		Each   bool     `json:"each"`
	}
	if err := readJSON(r, &ask); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if ask.Each {
		p.OutgoingWebhookEach(ask.URL, ask.Events...)
	} else {
		p.OutgoingWebhook(ask.URL, ask.Events...)
	}
	showJSON(w, p.Info())
}

// postRobot sends what an automation robot sends: {"lead":7}, to {"url":…} or to the address of
// the events.
func (p *Portal) postRobot(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		URL  string `json:"url"`
		Lead int64  `json:"lead"`
	}
	if err := readJSON(r, &ask); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if ask.Lead == 0 {
		ask.Lead, _ = p.RandomID()
	}
	if !p.Robot(ask.URL, ask.Lead) {
		complain(w, r, http.StatusBadRequest, errNoHandler)
		return
	}
	showJSON(w, map[string]any{"lead": ask.Lead})
}

// postOpenApp opens the application's page and shows what it answered: {"url":…,"user":7,
// "lang":"en"}, each of which may be missing.
func (p *Portal) postOpenApp(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		URL  string `json:"url"`
		User int    `json:"user"`
		Lang string `json:"lang"`
	}
	err := readJSON(r, &ask)
	if err == nil {
		var page Page
		if page, err = p.OpenApp(r.Context(), ask.URL, ask.User, ask.Lang); err == nil {
			showJSON(w, page)
			return
		}
	}
	complain(w, r, http.StatusBadRequest, err)
}

func (p *Portal) showCallbacks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(out)
	for _, cb := range p.Callbacks() {
		_ = enc.Encode(cb)
	}
	_ = out.Flush() // it fails only if the caller is gone
}

// putFaults changes the given faults and keeps the others.
func (p *Portal) putFaults(w http.ResponseWriter, r *http.Request) {
	var given json.RawMessage // read before the faults are locked
	if err := readJSON(r, &given); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	f, err := p.changeFaults(func(f *Faults) error {
		dec := json.NewDecoder(bytes.NewReader(given))
		dec.DisallowUnknownFields()
		if err := dec.Decode(f); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("body: %w", err)
		}
		return f.check()
	})
	if err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	showJSON(w, f)
}

func (p *Portal) showClock(w http.ResponseWriter, _ *http.Request) {
	showJSON(w, map[string]any{"now": p.clock.now().In(p.zone), "frozen": p.clock.stopped()})
}

// putClock changes the portal's clock: {"now":"2026-01-01T00:00:00+03:00"},
// {"advance":seconds}, {"frozen":true}.
func (p *Portal) putClock(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Now     time.Time `json:"now"`
		Advance float64   `json:"advance"`
		Frozen  *bool     `json:"frozen"`
	}
	if err := readJSON(r, &ask); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if ask.Frozen != nil {
		p.clock.freeze(*ask.Frozen)
	}
	if !ask.Now.IsZero() {
		p.clock.set(ask.Now)
	}
	p.Advance(time.Duration(ask.Advance * float64(time.Second)))
	p.showClock(w, r)
}

// postApp handles the rarer events of an application and of leads.
func (p *Portal) postApp(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Clean bool  `json:"clean"`
		Keep  int64 `json:"keep"`
		Drop  int64 `json:"drop"`
		Count int   `json:"count"`
	}
	if err := readJSON(r, &ask); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	done := map[string]any{"done": r.PathValue("what")}
	switch r.PathValue("what") {
	case "update":
		p.Update()
	case "uninstall":
		p.Uninstall(ask.Clean)
	case "user-ready":
		p.UserReady()
	case "expire":
		p.ExpireTokens()
	case "mass-edit":
		done["ids"] = p.MassEdit(max(ask.Count, 1))
	case "merge":
		if err := p.Merge(ask.Keep, ask.Drop); err != nil {
			complain(w, r, http.StatusNotFound, err)
			return
		}
	default:
		complain(w, r, http.StatusNotFound, errors.New("unknown action, want one of update, uninstall, user-ready, expire, mass-edit, merge, install, recreate, webhook, robot, open-app, leads"))
		return
	}
	showJSON(w, done)
}
