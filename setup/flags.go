package setup

import (
	"fmt"
	"strings"
)

// checkFlags refuses flags that ask for a webhook and for an application, of which one would be left out without a word.
func (d *draft) checkFlags() error {
	g, others := d.given, answers(d.given.Others)
	inbound := g.Webhook
	if inbound == "" && others.has(webhookURL) {
		inbound = inboundOf(d.answers)
	}
	host, named := portalOf(inbound), hostOf(g.Portal)
	member := g.MemberID
	if member == "" {
		member = others[memberID]
	}
	switch {
	case inbound != "" && g.ClientID+g.ClientSecret != "":
		return d.refused("--client-id, --client-secret: set beside a webhook, want either the webhook or the application")
	case host != "" && named != "" && !strings.EqualFold(named, host) && !strings.EqualFold(named, member):
		return d.refused("--portal: not the portal of the webhook, want %s or no --portal", host)
	case inbound == "" && g.WebhookToken+g.MemberID != "" && g.Portal+g.ClientID != "":
		return d.refused("--webhook-token, --member-id: set beside --portal or --client-id, which mean an application; want --webhook, too, or neither of them")
	}
	return nil
}

// refused is the fault of flags.
func (d *draft) refused(text string, args ...any) error {
	return fmt.Errorf("%w:\n%s", spokenError{ErrAnswer, d.person.language}, d.person.words(text, args...))
}
