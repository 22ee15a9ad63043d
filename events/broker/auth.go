package broker

import (
	"crypto/subtle"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Subscriber is another system that reads leads.
type Subscriber struct {
	Name  string // see ValidName; its durable consumers' names begin with it
	Token string
}

// ValidName reports whether a subscriber can have a name: it stands in names of accounts and
// consumers, and in subjects.
func ValidName(name string) bool {
	allowed := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	return name != "" && len(name) <= 32 && strings.TrimFunc(name, allowed) == ""
}

// accountOf is the name of a subscriber's account.
func accountOf(name string) string { return "SUBSCRIBER_" + strings.ToUpper(name) }

// authenticator recognises the service and subscribers by their tokens, and gives each its
// account. A token may be presented alone or as the password of the name.
type authenticator struct {
	accounts    func(name string) (*server.Account, error)
	service     string
	subscribers []Subscriber
}

// Check implements server.Authentication.
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	secret := opts.Token
	if secret == "" {
		secret = opts.Password
	}
	if same(secret, a.service) {
		return a.admit(c, "leadsync", serviceAccount)
	}
	for _, s := range a.subscribers {
		if same(secret, s.Token) && (opts.Username == "" || opts.Username == s.Name) {
			return a.admit(c, s.Name, accountOf(s.Name))
		}
	}
	return false
}

func (a *authenticator) admit(c server.ClientAuthentication, user, account string) bool {
	acc, err := a.accounts(account)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: user, Account: acc})
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
