package setup

import (
	"cmp"
	"context"
	"net/url"
	"strings"
)

// portal asks how the portal is connected: by an application or by webhooks.
type portal struct {
	draft   *draft
	another bool // a person has answered another portal than that of the former file
}

// askPortal asks how the portal is connected.
func askPortal(ctx context.Context, d *draft) error {
	p := &portal{draft: d}
	host, inbound, err := p.choice(ctx)
	if err != nil {
		return err
	}
	had := d.answers.has(webhookURL) // from the former file, or by --set
	switch {
	case inbound != "":
		p.dropApplication()
		return newWebhook(d).ask(ctx, inbound)
	case had && host == "" && d.given.ClientID == "" && !p.another:
		p.dropApplication()
		return newWebhook(d).keep(ctx)
	}
	newWebhook(d).drop()
	d.answers[portals] = cmp.Or(host, d.answers[portals])
	return p.application(ctx)
}

// choice is the portal's host or an inbound webhook; neither is the first portal, or that of the former file.
func (p *portal) choice(ctx context.Context) (host, inbound string, err error) {
	d := p.draft
	byWebhook := d.given.Webhook != "" || answers(d.given.Others).has(webhookURL)
	switch {
	case byWebhook && d.given.Webhook+d.given.Portal != "": // the same portal
		return "", d.given.Webhook, nil
	case d.given.Portal+d.given.ClientID != "" || !d.person.there():
		return hostOf(d.given.Portal), "", nil
	}
	question := d.person.words("The portal's address, such as company.bitrix24.ru, or the whole inbound webhook, if there is one (Enter: the first portal that installs leadsync)")
	if d.former.answers.has(portals) || d.former.answers.has(clientID) || d.former.answers.has(webhookURL) {
		question = d.person.words("The portal's address, or the whole inbound webhook (Enter: as in the former file; -: the first portal that installs leadsync)")
	}
	for {
		answer, err := d.person.line(ctx, question)
		if err != nil {
			return "", "", err
		}
		p.another = answer != ""
		switch {
		case answer == clearing:
			d.answers[portals] = ""
			return "", "", nil
		case strings.Contains(strings.ToLower(answer), "/rest/"): // what is not quite a webhook is no portal: it has a secret
			return "", answer, nil
		}
		host = hostOf(answer)
		if kept, err := d.try(ctx, d.answers.with(portals, cmp.Or(host, d.answers[portals])), trial{name: portals}); kept || err != nil {
			return host, "", err
		}
	}
}

// dropApplication makes room for a webhook. A former file that has both means both.
func (p *portal) dropApplication() {
	d, others := p.draft, answers(p.draft.given.Others)
	if d.former.answers.has(webhookURL) {
		return
	}
	var dropped []string
	drop := func(name string, given bool) {
		if d.answers.has(name) && !given {
			d.answers.put(name, "")
			dropped = append(dropped, name)
		}
	}
	byFlags := others.has(clientID) || others.has(clientSecret)
	drop(clientID, byFlags)
	drop(clientSecret, byFlags)
	drop(portals, d.given.Portal != "" || others.has(portals))
	if len(dropped) > 0 {
		d.person.say("  a webhook takes the application's place; not kept: %s", strings.Join(dropped, ", "))
	}
}

// hostOf is the host of an address that was copied from a browser, or what was written.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	host, _, _ := strings.Cut(address, "/")
	return host
}

// application shows what the form of a local application asks for, and takes what it shows afterwards.
func (p *portal) application(ctx context.Context) error {
	d := p.draft
	if d.person.there() {
		sayForm(d.person, d.answers[publicURL])
	}
	before := d.answers[clientID]
	id, none, err := p.clientID(ctx, before)
	switch {
	case err != nil:
		return err
	case none:
		d.answers.put(clientID, "")
		d.answers.put(clientSecret, "")
		return nil
	}
	secret := d.given.ClientSecret
	for id != "" && id != before && secret == "" && d.person.there() {
		answer, err := d.person.insist(ctx, d.person.hidden, "client_secret"+d.person.words(" (not shown)"), d.person.words("a client_id is of use only with its client_secret"))
		if err != nil {
			return err
		}
		secret = strings.TrimSpace(answer)
	}
	d.answers[clientID] = cmp.Or(id, before)
	if secret != "" || id != "" && id != before { // another application's secret is not kept
		d.answers.put(clientSecret, secret)
	}
	return nil
}

// clientID is "" where the one before stays; none says that there is to be no application. The former file's is that of its
// portal, and in question where a person has answered another one.
func (p *portal) clientID(ctx context.Context, before string) (id string, none bool, err error) {
	d := p.draft
	inQuestion := before == "" || p.another && d.given.Others[clientID] == ""
	if d.given.ClientID != "" || !d.person.there() || !inQuestion {
		return d.given.ClientID, false, nil
	}
	if before == "" && !d.answers.has(publicURL) {
		d.person.say("  without a public address no application can be connected, so its client_id is not asked for")
		return "", false, nil
	}
	question := d.person.words("client_id, if the form has shown it already (Enter: later)")
	if before != "" {
		question = d.person.words("client_id of the portal's application (Enter: %s; -: later)", before)
	}
	if d.answers.has(publicURL) { // the form stands above
		d.person.say("")
	}
	id, err = d.person.line(ctx, question)
	return id, id == clearing, err
}
