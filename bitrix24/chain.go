package bitrix24

import (
	"context"
	"fmt"
	"sync"
	"time"

	"leadsync/leads"
)

// Grants keeps a portal's tokens.
type Grants interface {
	Grant(ctx context.Context, memberID string) (leads.Grant, bool, error)
	// RotateGrant replaces the pair that holds the old refresh token; false where that
	// is no longer the stored one.
	RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error)
}

// Chain is a portal's chain of tokens: each refresh gives a pair that replaces the one
// before, for ever. Only the portal's owner has one.
type Chain struct {
	MemberID string
	Server   string // the portal's authorization server
	OAuth    *OAuth
	Grants   Grants

	mu    sync.Mutex
	grant leads.Grant
}

// expiryMargin is how long before its known expiry a token is no longer used.
const expiryMargin = 30 * time.Second

// Token implements Tokens.
func (c *Chain) Token(ctx context.Context) (leads.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grant.AccessToken == "" {
		if err := c.load(ctx); err != nil {
			return "", err
		}
	}
	if !c.grant.ExpiresAt.IsZero() && c.OAuth.Now().After(c.grant.ExpiresAt.Add(-expiryMargin)) {
		return c.refresh(ctx)
	}
	return c.grant.AccessToken, nil
}

// Refresh implements Tokens. Callers that were refused with the same token share one
// refresh.
func (c *Chain) Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused != c.grant.AccessToken {
		return c.grant.AccessToken, nil
	}
	return c.refresh(ctx)
}

func (c *Chain) load(ctx context.Context) error {
	grant, ok, err := c.Grants.Grant(ctx, c.MemberID)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Method: "oauth", Description: "there are no tokens for portal " + c.MemberID, Reaction: Reauthorize}
	}
	c.grant = grant
	return nil
}

// refresh stores the new pair before anybody uses it: a pair that is used and then lost
// is the end of the chain.
func (c *Chain) refresh(ctx context.Context) (leads.Secret, error) {
	pair, err := c.OAuth.Refresh(ctx, c.Server, c.grant.RefreshToken)
	if ReactionTo(err) == Reauthorize {
		return c.reread(ctx, err)
	}
	if err != nil {
		return "", err
	}
	pair.MemberID = c.MemberID
	// Being told to stop must not lose the pair that the server has already rotated to.
	ours, err := c.Grants.RotateGrant(context.WithoutCancel(ctx), c.grant.RefreshToken, pair.Grant)
	if err != nil {
		return "", fmt.Errorf("store the refreshed tokens of %s: %w", c.MemberID, err)
	}
	if !ours {
		// Somebody installed anew meanwhile; theirs is the pair that counts.
		return c.grant.AccessToken, c.load(ctx)
	}
	c.grant = pair.Grant
	return c.grant.AccessToken, nil
}

// reread is for a refresh token that the server does not know: a new installation may
// have stored another.
func (c *Chain) reread(ctx context.Context, refusal error) (leads.Secret, error) {
	used := c.grant.RefreshToken
	if err := c.load(ctx); err != nil {
		return "", err
	}
	if c.grant.RefreshToken == used {
		return "", fmt.Errorf("refresh the tokens of %s: %w", c.MemberID, refusal)
	}
	return c.grant.AccessToken, nil
}
