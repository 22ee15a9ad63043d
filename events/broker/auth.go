package broker

import (
	"crypto/subtle"

	"github.com/nats-io/nats-server/v2/server"
)

// authenticator recognises the service and subscribers by their tokens.
type authenticator struct{ subscriber, service string }

// Check implements server.Authentication.
func (a authenticator) Check(c server.ClientAuthentication) bool {
	token := c.GetOpts().Token
	if same(token, a.service) {
		c.RegisterUser(&server.User{Username: "leadsync"})
		return true
	}
	if a.subscriber != "" && !same(token, a.subscriber) {
		return false
	}
	c.RegisterUser(&server.User{Username: "subscriber", Permissions: subscriberRights()})
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// subscriberRights let a client read LEADS, live or through consumers of its own, and
// nothing else.
func subscriberRights() *server.Permissions {
	return &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{"leads.>", "_INBOX.>"}},
		Publish: &server.SubjectPermission{Allow: []string{
			"$JS.API.INFO",
			"$JS.API.STREAM.INFO.LEADS",
			"$JS.API.STREAM.NAMES",
			"$JS.API.STREAM.LIST",
			"$JS.API.STREAM.MSG.GET.LEADS",
			"$JS.API.DIRECT.GET.LEADS",
			"$JS.API.DIRECT.GET.LEADS.>",
			"$JS.API.CONSUMER.CREATE.LEADS",
			"$JS.API.CONSUMER.CREATE.LEADS.>",
			"$JS.API.CONSUMER.DURABLE.CREATE.LEADS.>",
			"$JS.API.CONSUMER.INFO.LEADS.>",
			"$JS.API.CONSUMER.NAMES.LEADS",
			"$JS.API.CONSUMER.LIST.LEADS",
			"$JS.API.CONSUMER.MSG.NEXT.LEADS.>",
			"$JS.API.CONSUMER.DELETE.LEADS.>",
			"$JS.ACK.LEADS.>",
			"$JS.FC.LEADS.>",
		}},
	}
}
