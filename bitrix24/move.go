package bitrix24

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"leadsync/leads"
)

// movedError is a redirect by a portal that was renamed. Source: docs/bitrix24.md 1.16.
type movedError struct {
	location string
	status   int
}

// Error names only the host: the path of a webhook is a secret.
func (e *movedError) Error() string { return "the answer is a redirect to " + hostIn(e.location) }

// moveLimit is how many redirects one call follows: a portal is renamed once.
const moveLimit = 2

// follow finds out the new address of a portal that redirects, and makes it the client's
// endpoint. The redirect itself is not trusted: whoever takes over the old host name could
// redirect anywhere. It is only the reason to ask the authorization server.
func (a *attempt) follow(ctx context.Context, moved *movedError) error {
	c := a.client
	if c.shared.currentEndpoint() != a.endpoint {
		return nil // another call has followed it
	}
	own := hostIn(a.endpoint.Reveal())
	to := hostIn(moved.location)
	if to == "nowhere" { // an address on the same host, or none
		to = own
	}
	if c.cfg.Moved == nil {
		e := &Error{
			Method: a.method, Status: moved.status, Reaction: Stop,
			Description: "the portal redirects to " + to + ", and no server can confirm that address for a webhook: configure the webhook's address on that host",
		}
		if to == own {
			e.Description = "it redirects to another page of itself instead of answering: it is under maintenance, or LEADSYNC_B24_WEBHOOK_URL is not the address of an inbound webhook"
		}
		return e
	}
	endpoint, err := c.cfg.Moved(ctx)
	if err != nil {
		return fmt.Errorf("%s: the portal redirects to %s: %w", a.method, to, err)
	}
	if endpoint == a.endpoint {
		return &Error{
			Method: a.method, Status: moved.status, Reaction: Repeat,
			Description: "the portal redirects to " + to + ", but the authorization server still names the old address",
		}
	}
	c.shared.setEndpoint(endpoint)
	return nil
}

func (s *shared) currentEndpoint() leads.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoint
}

func (s *shared) setEndpoint(endpoint leads.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint = endpoint
}

// hostIn is the host of a URL that comes from outside; "nowhere" if it has none.
func hostIn(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "nowhere"
	}
	return u.Host
}

// ErrElsewhere says that an access token belongs to another portal, according to the
// authorization server.
var ErrElsewhere = errors.New("the authorization server says that the token is another portal's")

// Home finds a portal that was renamed. A portal's identity is its member_id, not its
// address.
type Home struct {
	MemberID string
	Server   string // the portal's authorization server
	OAuth    *OAuth
	Tokens   Tokens
	// Move stores the new endpoint.
	Move func(ctx context.Context, endpoint string) error
}

// Moved asks the authorization server for the portal's address and stores it. Use it as
// ClientConfig.Moved. The error is ErrElsewhere if the server names another portal, and
// ErrUntrusted if the address is not https.
func (h *Home) Moved(ctx context.Context) (leads.Secret, error) {
	info, err := h.ask(ctx)
	if err != nil {
		return "", err
	}
	if info.MemberID != h.MemberID {
		return "", ErrElsewhere
	}
	endpoint, err := h.OAuth.Trust.Endpoint(info.ClientEndpoint)
	if err != nil {
		return "", err
	}
	return leads.Secret(endpoint), h.Move(ctx, endpoint)
}

// ask gets the server's record of the token, and refreshes the token if it has expired.
func (h *Home) ask(ctx context.Context) (Installation, error) {
	token, err := h.Tokens.Token(ctx)
	if err != nil {
		return Installation{}, err
	}
	info, err := h.OAuth.AppInfo(ctx, h.Server, token)
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusUnauthorized {
		return info, err
	}
	if token, err = h.Tokens.Refresh(ctx, token); err != nil {
		return Installation{}, err
	}
	return h.OAuth.AppInfo(ctx, h.Server, token)
}
