package emulator

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Install saves the form of a local application without a page, as a person does in Bitrix24:
// the application is installed, and the portal sends ONAPPINSTALL with tokens of the
// administrator to eventsURL (docs/bitrix24.md 1.8). Saving again sends it again, with new
// tokens. An empty address keeps the stored one.
func (p *Portal) Install(eventsURL, redirectURL string) { p.install(eventsURL, redirectURL, nil) }

// install is Install; told is told how ONAPPINSTALL was answered, unless it is nil.
func (p *Portal) install(eventsURL, redirectURL string, told func(outcome)) {
	if p.app.save(eventsURL, redirectURL) {
		p.tokens.clear() // of the installation before
	}
	if eventsURL == "" {
		return
	}
	p.bindings.remove(func(b binding) bool { return b.event == "ONAPPINSTALL" && !b.webhook })
	p.bindings.add(binding{event: "ONAPPINSTALL", handler: eventsURL})
	pair := p.tokens.pair(users[0].id, p.clock.now())
	for _, b := range p.bindings.of("ONAPPINSTALL") {
		n := &notice{event: "ONAPPINSTALL", by: users[0].id, to: b, pair: &pair, data: [][2]string{
			{"VERSION", strconv.Itoa(p.app.currentVersion())},
			{"ACTIVE", "Y"},
			{"INSTALLED", "Y"},
			{"LANGUAGE_ID", "ru"},
		}}
		if !b.webhook {
			n.told = told
		}
		p.deliver(n)
	}
}

// outcome is how the attempt to send a callback ended.
type outcome struct {
	status int    // 0 where there was no answer
	text   string // the beginning of the answer
	err    error  // why there was no answer
}

var (
	errLost    = errors.New("lost on purpose")
	errWaiting = errors.New("no answer yet")
)

func (n *notice) ended(o outcome) {
	if n.told != nil {
		n.told(o)
	}
}

// reason is why a callback was not accepted, in a sentence; "" where it was.
func (o outcome) reason(event, handler string) string {
	var failed *url.Error // it repeats method and address
	text := saying(o.text)
	switch {
	case errors.Is(o.err, errWaiting): // it waits behind others
		return fmt.Sprintf("%s has not answered %s yet: GET /_portal/callbacks shows it when it has", handler, event)
	case errors.As(o.err, &failed):
		return fmt.Sprintf("%s could not be delivered to %s: %v", event, handler, failed.Err)
	case o.err != nil:
		return fmt.Sprintf("%s could not be delivered to %s: %v", event, handler, o.err)
	case o.status >= 200 && o.status < 300:
		return ""
	case text == "":
		return fmt.Sprintf("%s refused %s with HTTP %d and gave no reason: its log may have one", handler, event, o.status)
	default:
		return fmt.Sprintf("%s refused %s with HTTP %d: %s", handler, event, o.status, text)
	}
}

// saying is what an answer says in one line, without a full stop; "" where it is a page for browsers.
func saying(answer string) string {
	text := strings.TrimSuffix(strings.Join(strings.Fields(answer), " "), ".")
	if strings.HasPrefix(text, "<") {
		return ""
	}
	return text
}

// installForm is what a person writes into the form of the local application.
type installForm struct {
	EventsURL   string `json:"events_url"`
	RedirectURL string `json:"redirect_url"`
}

// installed is the answer to an accepted installation.
type installed struct {
	Result string `json:"result"` // a sentence
	Info
}

// postInstall saves the form of the local application and says how ONAPPINSTALL was answered. A real
// portal shows nobody that it was refused; who tries leadsync with curl has to see it.
func (p *Portal) postInstall(w http.ResponseWriter, r *http.Request) {
	var form installForm
	if err := readJSON(r, &form); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	if form.EventsURL == "" {
		p.Install("", form.RedirectURL)
		showJSON(w, installed{"saved; without events_url no ONAPPINSTALL is sent", p.Info()})
		return
	}
	o := p.installAndWait(r, form)
	if reason := o.reason("ONAPPINSTALL", form.EventsURL); reason != "" {
		if !errors.Is(o.err, errWaiting) {
			reason += ". The portal does not send it again: when that is put right, install again"
		}
		complain(w, r, http.StatusBadGateway, errors.New(reason))
		return
	}
	showJSON(w, installed{fmt.Sprintf("%s accepted ONAPPINSTALL with HTTP %d", form.EventsURL, o.status), p.Info()})
}

// installAndWait waits for the answer to ONAPPINSTALL, as long as the longest delay and a silent
// handler take.
func (p *Portal) installAndWait(r *http.Request, form installForm) outcome {
	answered := make(chan outcome, 1)
	p.install(form.EventsURL, form.RedirectURL, func(o outcome) {
		select {
		case answered <- o:
		default: // a fault has sent it twice
		}
	})
	timeout := time.NewTimer(p.queue.longest() + p.cfg.HandlerTimeout + time.Second)
	defer timeout.Stop()
	select {
	case o := <-answered:
		return o
	case <-timeout.C:
		return outcome{err: errWaiting}
	case <-p.queue.ctx.Done():
		return outcome{err: p.queue.ctx.Err()}
	case <-r.Context().Done():
		return outcome{err: r.Context().Err()}
	}
}

// postRecreate answers at once: nobody can have accepted ONAPPINSTALL who does not know the new client id.
func (p *Portal) postRecreate(w http.ResponseWriter, r *http.Request) {
	var form installForm
	if err := readJSON(r, &form); err != nil {
		complain(w, r, http.StatusBadRequest, err)
		return
	}
	p.Recreate(form.EventsURL, form.RedirectURL)
	showJSON(w, p.Info())
}
