package emulator

import (
	"slices"
	"strings"
)

// OutgoingWebhook is one outgoing webhook: a person creates it in Bitrix24 for an address and
// some events, and it has an application token of its own.
type OutgoingWebhook struct {
	URL              string   `json:"url"`
	Events           []string `json:"events"`
	ApplicationToken string   `json:"application_token"`
}

// leadEvents are the events of an outgoing webhook unless others are given.
var leadEvents = []string{"ONCRMLEADADD", "ONCRMLEADUPDATE", "ONCRMLEADDELETE"}

// OutgoingWebhook creates an outgoing webhook, as a person does in Bitrix24: the portal sends
// the events to the address with the webhook's own application token, and never with user
// tokens (docs/bitrix24.md 2.3). Without events, it sends the three events of leads. It
// replaces all webhooks that exist; an empty address only removes them.
func (p *Portal) OutgoingWebhook(address string, events ...string) {
	p.outgoing(address, events, func(string) string { return p.webhookToken })
}

// OutgoingWebhookEach is OutgoingWebhook with a webhook for each event, each with a token of
// its own: Info lists them. The same event always has the same token.
func (p *Portal) OutgoingWebhookEach(address string, events ...string) {
	p.outgoing(address, events, func(event string) string {
		return newRNG(p.cfg.Seed, hash(event)).letters(32, alphanumeric)
	})
}

func (p *Portal) outgoing(address string, events []string, token func(event string) string) {
	p.bindings.remove(func(b binding) bool { return b.webhook })
	if address == "" {
		return
	}
	if len(events) == 0 {
		events = leadEvents
	}
	for _, e := range events {
		e = strings.ToUpper(e)
		p.bindings.add(binding{event: e, handler: address, webhook: true, token: token(e)})
	}
}

// outgoingWebhooks are the webhooks that exist.
func (p *Portal) outgoingWebhooks() []OutgoingWebhook {
	all := []OutgoingWebhook{}
	for _, b := range p.bindings.list() {
		if !b.webhook {
			continue
		}
		same := func(h OutgoingWebhook) bool { return h.URL == b.handler && h.ApplicationToken == b.token }
		at := slices.IndexFunc(all, same)
		if at < 0 {
			at, all = len(all), append(all, OutgoingWebhook{URL: b.handler, ApplicationToken: b.token})
		}
		all[at].Events = append(all[at].Events, b.event)
	}
	return all
}
