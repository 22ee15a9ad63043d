package access

import (
	"crypto/sha256"
	"crypto/subtle"

	"leadsync/leads"
)

// Right is what a caller may do. A higher one includes those below it, but for Card, which
// its token alone gives to a browser.
type Right int

// The rights.
const (
	None    Right = iota
	Card          // be redirected to the card of a caller's lead
	Read          // look up leads, see status, findings and settings
	Operate       // start, pause, replay, drop, bind
)

// Tokens are what programs and people show. An empty one opens nothing.
type Tokens struct{ Card, Read, Operate leads.Secret }

// Right is what a token gives. It compares with each in constant time, whatever the length.
func (t Tokens) Right(token string) Right {
	got, right := sha256.Sum256([]byte(token)), None
	for _, known := range []struct {
		secret leads.Secret
		right  Right
	}{{t.Card, Card}, {t.Read, Read}, {t.Operate, Operate}} {
		want := sha256.Sum256([]byte(known.secret.Reveal()))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && known.secret != "" {
			right = known.right
		}
	}
	return right
}
