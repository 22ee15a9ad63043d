package leads

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

// Problems of a portal as a whole. They never count as the failure of one lead.
var (
	// ErrUnauthorized: the portal rejects our tokens, an administrator must authorize again.
	ErrUnauthorized = errors.New("portal needs authorization again")
	// ErrStopped: the portal was blocked or deleted.
	ErrStopped = errors.New("portal is blocked or deleted")
	// ErrRefused: the call is wrong or not permitted. Repeating it does not help.
	ErrRefused = errors.New("portal rejects the call")
	// ErrNotOwner: another process has become the portal's owner. Nothing was written.
	ErrNotOwner = errors.New("another process owns the portal")
	// ErrUnsettled: a pass has ended, but the database did not store that.
	ErrUnsettled = errors.New("pass has ended, but its result could not be stored")
)

// PortalState says whether leadsync can read a portal.
type PortalState string

// The states of a portal.
const (
	PortalActive             PortalState = "active"
	PortalNeedsAuthorization PortalState = "needs_authorization" // its tokens are invalid; an administrator must authorize again
	PortalUninstalled        PortalState = "uninstalled"         // the application was removed from it
)

// Portal is the record of one Bitrix24 portal, without its tokens.
type Portal struct {
	MemberID       string
	Domain         string // host name of the portal; it may change
	State          PortalState
	ClientEndpoint string // base URL of its REST calls, ends with a slash
	ServerEndpoint string // base URL of its authorization server
	WebhookURL     Secret // URL of the inbound webhook; empty where an application is used
	// TokenHash is HashToken of the application_token, which authenticates callbacks. A portal
	// with several outgoing webhooks has several tokens; see HashTokens.
	TokenHash string
	UserID    int64 // the user who authorized; 0 where unknown
	// ClientID and ClientSecret are the portal's own application; empty where the portal
	// uses the application of the settings.
	ClientID     string
	ClientSecret Secret
	UpdatedAt    time.Time // when this record was written
}

// HashToken returns the hex SHA-256 of a token. The mirror stores only this hash of an
// application_token; it is enough to authenticate callbacks.
func HashToken(token Secret) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// HashTokens returns what Portal.TokenHash keeps of a list of tokens with commas between
// them: their hashes, sorted, with spaces between them. "" where there is no token.
func HashTokens(list Secret) string {
	var hashes []string
	for token := range strings.SplitSeq(list.Reveal(), ",") {
		if token = strings.TrimSpace(token); token != "" {
			hashes = append(hashes, HashToken(Secret(token)))
		}
	}
	slices.Sort(hashes)
	return strings.Join(slices.Compact(hashes), " ")
}

// Recognises tells, in constant time, whether a callback's application_token is this
// portal's.
func (p *Portal) Recognises(token Secret) bool { return p.RecognisesHash(HashToken(token)) }

// RecognisesHash is Recognises for HashToken of a token. The hash of an empty token is
// nobody's.
func (p *Portal) RecognisesHash(hash string) bool {
	found := 0
	for own := range strings.FieldsSeq(p.TokenHash) {
		found |= subtle.ConstantTimeCompare([]byte(hash), []byte(own))
	}
	return found == 1 && hash != noToken
}

var noToken = HashToken("")

// Grant is a pair of tokens and what came with it. Source: docs/bitrix24.md 1.4.
type Grant struct {
	MemberID     string
	AccessToken  Secret
	RefreshToken Secret
	ExpiresAt    time.Time // of the access token, by our clock
	Scope        string    // as Bitrix24 sends it, separated by commas
	UserID       int64     // the user whose tokens these are
	ClientID     string    // the application that received them
	// System says that the tokens belong to the application's own user, and not to the user
	// who installed it. They stay valid when employees leave (docs/bitrix24.md 1.13).
	System bool
	// RefreshBegan is when a process began to use the refresh token without having stored
	// the result yet; zero otherwise.
	RefreshBegan time.Time
}

// A refresh token that is not used lives for refreshLife, and the access token that came with it
// for accessLife. Source: docs/bitrix24.md 1.5.
const (
	refreshLife = 180 * 24 * time.Hour
	accessLife  = time.Hour
)

// DiesAt is about when an administrator has to log in again, unless the pair is refreshed before.
func (g Grant) DiesAt() time.Time { return g.ExpiresAt.Add(refreshLife - accessLife) }

// Same reports whether two records are equal, apart from UpdatedAt.
func (p Portal) Same(q Portal) bool {
	p.UpdatedAt, q.UpdatedAt = time.Time{}, time.Time{}
	return p == q
}

// Remedy says what a person does when the portal no longer accepts us. publicURL is where
// browsers reach leadsync; "" where that is unknown, and the setting stands for it.
func (p Portal) Remedy(publicURL string) string {
	switch {
	case p.WebhookURL != "":
		return "create a new inbound webhook in Bitrix24 and put its address into LEADSYNC_B24_WEBHOOK_URL (or `leadsync portals add --webhook …`)"
	case p.Domain == "":
		return "save the application's form in Bitrix24 again"
	}
	return "let an administrator of the portal open " + cmp.Or(publicURL, "LEADSYNC_PUBLIC_URL") + LoginPath + "?domain=" + p.Domain +
		" in a browser, or save the application's form in Bitrix24 again"
}
