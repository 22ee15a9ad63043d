package setup

import (
	"context"
	"maps"
	"strings"

	"leadsync/settings"
)

// webhook asks for an inbound webhook and the token of an outgoing one. Token and member_id belong to one portal: with the
// token of another one every callback would be refused.
type webhook struct {
	draft    *draft
	tokenOf  string // the portal to which the draft's token belongs; "" is the first one that is answered
	memberOf string // the same of its member_id
	settled  bool   // the token need not be asked for
}

// newWebhook takes the token and the member_id that flags have, which belong to the webhook that flags have.
func newWebhook(d *draft) *webhook {
	former, flags, others := portalOf(d.former.webhook), portalOf(d.given.Webhook), answers(d.given.Others)
	if flags == "" && others.has(webhookURL) {
		flags = portalOf(inboundOf(d.answers))
	}
	w := &webhook{draft: d, tokenOf: former, memberOf: former}
	if d.given.WebhookToken != "" {
		d.answers.put(webhookToken, d.given.WebhookToken)
	}
	if d.given.WebhookToken != "" || others.has(webhookToken) {
		w.tokenOf, w.settled = flags, true
	}
	if d.given.MemberID != "" {
		d.answers[memberID] = d.given.MemberID
	}
	if d.given.MemberID != "" || others.has(memberID) {
		w.memberOf = flags
	}
	return w
}

// inboundOf is the inbound webhook of answers, also where it is in a file of its own.
func inboundOf(a answers) string {
	values, _ := a.values() // a fault is said where the answers are checked
	inbound, _ := values.Lookup(webhookURL)
	return inbound
}

// portalOf is the host of an inbound webhook, without the secret; "" where it is none.
func portalOf(inbound string) string {
	portal, _, ok := strings.Cut(inbound, "/rest/")
	if !ok {
		return ""
	}
	return hostOf(portal)
}

// ask takes webhook and token until they are kept.
func (w *webhook) ask(ctx context.Context, inbound string) error {
	d := w.draft
	for ; ; inbound = "" {
		for inbound == "" {
			var err error
			inbound, err = d.person.insist(ctx, d.person.line, d.person.words("The inbound webhook, https://portal/rest/<user>/<secret>/"), d.person.words("leadsync reads leads by it"))
			if err != nil {
				return err
			}
		}
		if portal := portalOf(inbound); portal != "" { // what is no webhook is refused below
			w.turnTo(portal)
			if err := w.token(ctx); err != nil {
				return err
			}
		}
		ok, err := d.try(ctx, d.answers.with(webhookURL, inbound), trial{name: webhookURL, look: d.trials.Webhook})
		if ok || err != nil {
			return err
		}
	}
}

// keep keeps the former file's webhook, or the one that --set has put in its place.
func (w *webhook) keep(ctx context.Context) error {
	w.turnTo(portalOf(inboundOf(w.draft.answers)))
	if w.draft.answers.has(webhookToken) {
		return nil
	}
	return w.token(ctx)
}

// drop makes room for an application, and says what of a webhook the new file lacks.
func (w *webhook) drop() {
	d := w.draft
	of, byFlags := portalOf(d.former.webhook), answers{webhookToken: d.given.WebhookToken, memberID: d.given.MemberID}
	maps.Copy(byFlags, d.given.Others)
	var dropped []string
	for _, name := range []string{webhookURL, webhookToken, memberID} {
		switch {
		case of == "" || !d.former.answers.has(name):
		case d.former.answers[name] == "":
			dropped = append(dropped, name+settings.FileSuffix)
		default:
			dropped = append(dropped, name)
		}
		if d.answers.has(name) && (of == "" || byFlags.has(name)) {
			d.person.say("  %s belongs to a webhook, and is not kept", name)
		}
		d.answers.put(name, "")
	}
	if of != "" {
		d.person.say("  an application takes the place of the webhook of %s: leadsync reads leads by OAuth as soon as the application is installed\n  not in the new file: %s; the former file keeps their values\n  when the application works, delete the webhooks in Bitrix24", of, strings.Join(dropped, ", "))
	}
}

// turnTo drops what belongs to another portal.
func (w *webhook) turnTo(portal string) {
	d := w.draft
	if w.tokenOf != "" && !strings.EqualFold(w.tokenOf, portal) {
		w.settled = false
		if d.answers.has(webhookToken) {
			d.answers.put(webhookToken, "")
			d.person.say("  the outgoing webhook's token was that of %s, and is not kept", w.tokenOf)
		}
	}
	if w.memberOf != "" && !strings.EqualFold(w.memberOf, portal) && d.answers.has(memberID) {
		d.answers.put(memberID, "")
		d.person.say("  LEADSYNC_B24_MEMBER_ID was that of %s, and is not kept", w.memberOf)
	}
	w.tokenOf, w.memberOf = portal, portal
}

// token takes the token of the outgoing webhook, once for a portal.
func (w *webhook) token(ctx context.Context) error {
	d := w.draft
	if !d.person.there() || w.settled && w.readable() {
		return nil
	}
	question := d.person.words("The outgoing webhook's token, as Bitrix24 shows it (not shown here)")
	if d.answers.has(webhookToken) {
		question = d.person.words("The outgoing webhook's token (not shown; Enter: the same as before)")
	}
	for {
		answer, err := d.person.insist(ctx, d.person.hidden, question, d.person.words("by it leadsync knows which callbacks are Bitrix24's"))
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer != "" {
			d.answers.put(webhookToken, answer)
		}
		if w.settled = d.answers.has(webhookToken) && w.readable(); w.settled {
			return nil
		}
	}
}

// readable tells whether the service can read the token, beside whatever webhook, and says why it cannot.
func (w *webhook) readable() bool {
	d := w.draft
	_, err := d.court.read(d.answers.without(memberID).with(webhookURL, "https://portal.bitrix24.com/rest/1/secret/"))
	if err != nil {
		d.person.say("  %s", err)
	}
	return err == nil
}
