package bitrix24

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"leadsync/leads"
)

// movedError is a portal's redirect: it was renamed. Source: docs/bitrix24.md 1.16.
type movedError struct {
	location string
	status   int
}

// Error names the host alone: the path of a webhook is a secret.
func (e *movedError) Error() string { return "the portal redirects to " + hostIn(e.location) }

// moveLimit is how often one call follows a portal: it is renamed once.
const moveLimit = 2

// follow finds out where a portal is that redirects from endpoint, and makes it the
// client's endpoint. Whoever can answer for the old host, when its name has been given
// up, could redirect anywhere: the new address comes from the authorization server, and
// the redirect is only the reason to ask.
func (c *Client) follow(ctx context.Context, method string, from leads.Secret, moved *movedError) error {
	c.mu.Lock()
	already := c.endpoint != from
	c.mu.Unlock()
	if already {
		return nil
	}
	to := hostIn(moved.location)
	if c.cfg.Moved == nil {
		return &Error{
			Method: method, Status: moved.status, Reaction: Stop,
			Description: "the portal redirects to " + to + ", which nobody confirms: make the webhook's address known under that host",
		}
	}
	endpoint, err := c.cfg.Moved(ctx)
	if err != nil {
		return fmt.Errorf("%s: the portal redirects to %s: %w", method, to, err)
	}
	if endpoint == from {
		return &Error{
			Method: method, Status: moved.status, Reaction: Repeat,
			Description: "the portal redirects to " + to + ", but the authorization server says that it is where it was",
		}
	}
	c.mu.Lock()
	c.endpoint = endpoint
	c.mu.Unlock()
	return nil
}

// hostIn is the host of a URL that somebody else has written.
func hostIn(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "nowhere"
	}
	return u.Host
}

// ErrElsewhere says that the authorization server knows an access token as another
// portal's.
var ErrElsewhere = errors.New("the authorization server says that the token is another portal's")

// Home knows how to find a portal again that was renamed: its identity is the member_id,
// not the address.
type Home struct {
	MemberID string
	Server   string // the portal's authorization server
	OAuth    *OAuth
	Tokens   Tokens
	// Move stores the new endpoint.
	Move func(ctx context.Context, endpoint string) error
}

// Moved asks the authorization server where the portal is and stores the answer; it is
// what ClientConfig.Moved wants.
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

// ask refreshes the token where the server finds it expired.
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
