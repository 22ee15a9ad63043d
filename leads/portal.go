package leads

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"
)

// What is wrong with a portal as a whole, and so never counts against one lead.
var (
	ErrUnauthorized = errors.New("the portal needs authorization again")
	ErrStopped      = errors.New("the portal is blocked or gone")
	// ErrRefused is a call that is wrong, or not for us, and will be so again.
	ErrRefused   = errors.New("the portal refuses the call")
	ErrNotOwner  = errors.New("another process owns the portal by now")
	ErrUnsettled = errors.New("a pass has ended, but that could not be written")
)

// PortalState says whether a portal can be read.
type PortalState string

// The states of a portal.
const (
	PortalActive             PortalState = "active"
	PortalNeedsAuthorization PortalState = "needs_authorization" // its tokens are dead; somebody must authorize again
	PortalUninstalled        PortalState = "uninstalled"         // the application was removed there
)

// Portal is what the mirror keeps of one Bitrix24 portal, tokens apart.
type Portal struct {
	MemberID       string
	Domain         string // host of the portal, which may change
	State          PortalState
	ClientEndpoint string // base of its REST calls, with a slash at the end
	ServerEndpoint string // REST of its authorization server
	WebhookURL     Secret // complete inbound webhook; empty where an application is used
	// TokenHash is HashToken of the application_token, by which its callbacks are known.
	TokenHash string
	UserID    int64 // who authorized; 0 unknown
	// ClientID and ClientSecret are the portal's own application; empty where it is the one
	// of the settings.
	ClientID     string
	ClientSecret Secret
	UpdatedAt    time.Time // of this record
}

// HashToken is the hex SHA-256 of an application_token: what is needed to recognise
// callbacks, and all that is kept of it.
func HashToken(token Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// Recognises tells, in constant time, whether a callback's application_token is this
// portal's.
func (p *Portal) Recognises(token Secret) bool { return p.RecognisesHash(HashToken(token)) }

// RecognisesHash is Recognises for HashToken of a token. The hash of an empty token is
// nobody's.
func (p *Portal) RecognisesHash(hash string) bool {
	return p.TokenHash != "" && hash != noToken && subtle.ConstantTimeCompare([]byte(hash), []byte(p.TokenHash)) == 1
}

var noToken = HashToken("")

// Grant is a pair of tokens and what came with it. Source: docs/bitrix24.md 1.4.
type Grant struct {
	MemberID     string
	AccessToken  Secret
	RefreshToken Secret
	ExpiresAt    time.Time // of the access token, by our clock
	Scope        string
	UserID       int64
	ClientID     string // of the application it was given to
	// System says that it is the application's own user's, which no dismissal ends
	// (docs/bitrix24.md 1.13), and not the installer's.
	System bool
	// RefreshBegan is when somebody began to spend the refresh token and has not stored
	// what came for it; zero where nobody has.
	RefreshBegan time.Time
}

// Same tells whether two records describe the same way to the same portal.
func (p Portal) Same(q Portal) bool {
	p.UpdatedAt, q.UpdatedAt = time.Time{}, time.Time{}
	return p == q
}
