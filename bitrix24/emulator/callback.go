package emulator

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Callback is one callback that the portal sent, or did not send because of a fault. Lead is
// nil for events that are not about a lead. Status is 0 if there was no answer or if a fault
// suppressed the callback; Error says which, or how the handler explained its refusal.
type Callback struct {
	Lead   *int64    `json:"lead"`
	Event  string    `json:"event"`
	SentAt time.Time `json:"sent_at"`
	Status int       `json:"status"`
	Error  string    `json:"error"`
}

// form is a form body as PHP's http_build_query writes it: in the order of the calls to add,
// with percent-encoded brackets (docs/bitrix24.md 2.3).
type form struct{ b strings.Builder }

func (f *form) add(key, value string) {
	if f.b.Len() > 0 {
		f.b.WriteByte('&')
	}
	f.b.WriteString(url.QueryEscape(key) + "=" + url.QueryEscape(value))
}

// notice is an event on its way to one handler. ts and tokens depend on the time of sending
// and are filled in then.
type notice struct {
	event   string
	lead    int64 // 0 for other events
	by      int   // the user who caused it; 0 is a robot, which has no tokens
	to      binding
	data    [][2]string
	token   string        // the application_token at the time of the event
	pair    *tokenPair    // long-term events carry their own tokens
	noToken bool          // ONAPPUNINSTALL: REST calls are no longer possible
	wrong   bool          // the fault WrongToken
	raw     string        // the form of what is no event; "" for events
	told    func(outcome) // is told how the attempt ended; nil where nobody waits for that
}

// body is the form that is sent.
func (p *Portal) body(n *notice) string {
	if n.raw != "" {
		return n.raw
	}
	now := p.clock.now()
	var f form
	f.add("event", n.event)
	if !p.cfg.Switches.NoHandlerID {
		f.add("event_handler_id", strconv.Itoa(n.to.id))
	}
	if n.lead != 0 {
		f.add("data[FIELDS][ID]", strconv.FormatInt(n.lead, 10))
	}
	for _, d := range n.data {
		f.add("data["+d[0]+"]", d[1])
	}
	f.add("ts", strconv.FormatInt(now.Unix(), 10))
	p.addAuth(&f, n, now)
	return f.b.String()
}

// addAuth writes auth[…]. An application gets tokens of the user who caused the event, if it
// was a user; an outgoing webhook never gets tokens.
func (p *Portal) addAuth(f *form, n *notice, now time.Time) {
	token := n.token
	if n.to.webhook {
		token = n.to.token
	}
	if n.wrong {
		token = strings.Repeat("0", len(token))
	}
	by := n.by
	if n.to.authType != 0 {
		by = n.to.authType
	}
	refresh := ""
	if !n.to.webhook && !n.noToken && (n.pair != nil || by != 0) {
		var access string
		var expires time.Time
		if n.pair != nil {
			access, expires, refresh = n.pair.access, n.pair.expires, n.pair.refresh
		} else {
			access, expires = p.tokens.event(by, now)
			if p.cfg.Switches.EventRefreshToken {
				refresh = p.tokens.pair(by, now).refresh
			}
		}
		f.add("auth[access_token]", access)
		if !p.cfg.Switches.NoUserKeys && n.event != "ONAPPUSERREADY" {
			f.add("auth[expires]", strconv.FormatInt(expires.Unix(), 10))
		}
		f.add("auth[expires_in]", strconv.FormatInt(max(0, int64(expires.Sub(now)/time.Second)), 10))
		f.add("auth[scope]", p.scopeText())
	}
	if n.event == "ONAPPUSERREADY" { // this one names the authorization server (event.ONAPPUSERREADY.json)
		f.add("auth[domain]", hostOf(p.oauthURL))
	} else {
		f.add("auth[domain]", hostOf(p.portalURL))
	}
	if n.to.webhook || n.noToken {
		f.add("auth[client_endpoint]", p.portalURL+"/rest/")
		f.add("auth[server_endpoint]", p.oauthURL+"/rest/")
	} else {
		f.add("auth[server_endpoint]", p.oauthURL+"/rest/")
		f.add("auth[status]", p.cfg.Status)
		f.add("auth[client_endpoint]", p.portalURL+"/rest/")
	}
	f.add("auth[member_id]", p.memberID)
	if by != 0 && !n.to.webhook && !n.noToken && !p.cfg.Switches.NoUserKeys {
		f.add("auth[user_id]", strconv.Itoa(by))
	}
	if refresh != "" {
		f.add("auth[refresh_token]", refresh)
	}
	f.add("auth[application_token]", token)
}

// fire sends an event to every handler that bound it, and adds it to the offline queue.
// connector is the writer's source key: the queue with that key leaves the event out.
func (p *Portal) fire(event string, lead int64, by int, connector string) {
	p.recent.touch(lead)
	if p.happens(p.Faults().NoUser) {
		by = 0
	}
	for _, b := range p.bindings.of(event) {
		if b.offline {
			p.noteOffline(b, event, lead, by, connector)
			continue
		}
		p.deliver(&notice{event: event, lead: lead, by: by, to: b})
	}
}

// deliver puts a notice on the queue and applies the faults that are on now.
func (p *Portal) deliver(n *notice) {
	f := p.Faults()
	n.token = p.app.identity().token
	p.rngMu.Lock()
	lost, twice, late := p.rng.chance(f.Lose), p.rng.chance(f.Repeat), p.rng.chance(f.Reorder)
	n.wrong = p.rng.chance(f.WrongToken)
	p.rngMu.Unlock()
	if lost {
		p.queue.lose(n, p.clock.now().In(p.zone))
		n.ended(outcome{err: errLost})
		return
	}
	p.queue.push(p, n, late)
	if twice {
		again := *n
		p.queue.push(p, &again, late)
	}
}
