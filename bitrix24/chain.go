package bitrix24

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"leadsync/leads"
)

// Grants keeps a portal's tokens.
type Grants interface {
	// Grants are the portal's pairs of tokens, each of another user's, the preferred first.
	Grants(ctx context.Context, memberID string) ([]leads.Grant, error)
	// BeginRefresh notes who is about to spend the refresh token of a pair. False where
	// the pair is no longer stored, or somebody else has begun less than life ago.
	BeginRefresh(ctx context.Context, pair leads.Grant, by string, life time.Duration) (bool, error)
	// RotateGrant replaces the pair that holds the old refresh token; false where that
	// is no longer the stored one.
	RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error)
}

// Chain is a portal's chain of tokens: each refresh gives a pair that replaces the one
// before, for ever. Where the portal has given tokens to several users, the others are
// kept for the day on which the preferred one's die. Only the portal's owner has a
// chain; that a former owner may still be at work is what BeginRefresh is for.
type Chain struct {
	MemberID string
	Server   string // the portal's authorization server
	OAuth    *OAuth
	Grants   Grants
	By       string       // names this process
	Log      *slog.Logger // nil is silent

	mu     sync.Mutex
	grant  leads.Grant
	dead   map[leads.Secret]bool // refresh tokens that are of no use, by our experience
	unkept *rotation             // the server gave it, the database did not take it yet
}

// rotation is a pair that replaces another.
type rotation struct {
	old  leads.Secret
	next leads.Grant
}

const (
	// expiryMargin is how long before its known expiry a token is no longer used.
	expiryMargin = 5 * time.Second
	// refreshLimit bounds a refresh. It must end before somebody else may begin one.
	refreshLimit = 10 * time.Second
	// refreshMark is how long others leave a pair alone of which a refresh has begun.
	refreshMark = 15 * time.Second
	// keepLimit is how long the database is asked to take a new pair before the caller
	// is told.
	keepLimit = 20 * time.Second
	// lookEvery is how often it is looked whether somebody else's refresh is stored, and
	// beginWaits how often at most: twice as long as it may take.
	lookEvery  = time.Second / 2
	beginWaits = int(2 * refreshMark / lookEvery)
	// idleLimit is after how long without use a refresh token is refreshed to keep it
	// alive: it dies after 180 days (facts 1.5).
	idleLimit = 150 * 24 * time.Hour
)

// Token implements Tokens.
func (c *Chain) Token(ctx context.Context) (leads.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token(ctx)
}

func (c *Chain) token(ctx context.Context) (leads.Secret, error) {
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	if c.expired(c.grant) {
		return c.refresh(ctx)
	}
	return c.grant.AccessToken, nil
}

// ready makes sure that the present pair is one that is stored.
func (c *Chain) ready(ctx context.Context) error {
	ours, err := c.keep(ctx)
	if err != nil {
		return err
	}
	if c.grant.AccessToken == "" || !ours {
		return c.load(ctx, nil)
	}
	return nil
}

// expired leaves a margin for the way to the portal; a token that ends there all the
// same is refused and refreshed.
func (c *Chain) expired(g leads.Grant) bool {
	return !g.ExpiresAt.IsZero() && c.OAuth.Now().After(g.ExpiresAt.Add(-expiryMargin))
}

// Refresh implements Tokens. Callers that were refused with the same token share one
// refresh.
func (c *Chain) Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return "", err
	}
	if refused != c.grant.AccessToken {
		return c.token(ctx)
	}
	return c.refresh(ctx)
}

// Abandon implements Tokens: the user was dismissed, or may not use the application any
// more, so refreshing would not help.
func (c *Chain) Abandon(ctx context.Context, refused leads.Secret) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if refused != c.grant.AccessToken {
		return true, nil
	}
	c.bury(ctx, c.grant, "the portal does not let its user in")
	err := c.load(ctx, nil)
	if errors.Is(err, leads.ErrUnauthorized) {
		return false, nil
	}
	return err == nil, err
}

// Reload makes the next call look for tokens anew: an installation has brought some.
func (c *Chain) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grant, c.dead = leads.Grant{}, nil
}

// Close stores a pair that could not be stored yet, if there is one: whoever owns the
// portal next needs it.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.keep(context.Background())
	return err
}

// load takes the preferred pair that is not known to be dead. Where all are, cause says
// why the last one is.
func (c *Chain) load(ctx context.Context, cause error) error {
	grants, err := c.Grants.Grants(ctx, c.MemberID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if !c.dead[g.RefreshToken] {
			c.grant = g
			return nil
		}
	}
	c.grant = leads.Grant{}
	switch {
	case cause != nil:
		return cause
	case len(grants) == 0:
		return &Error{Method: "oauth", Description: "there are no tokens for portal " + c.MemberID, Reaction: Reauthorize}
	default:
		return &Error{Method: "oauth", Description: "the tokens for portal " + c.MemberID + " are dead", Reaction: Reauthorize}
	}
}

// bury remembers that a pair is of no use.
func (c *Chain) bury(ctx context.Context, g leads.Grant, why string) {
	if c.dead == nil {
		c.dead = map[leads.Secret]bool{}
	}
	c.dead[g.RefreshToken] = true
	c.log().WarnContext(ctx, "tokens of a user are dead", "member_id", c.MemberID, "user_id", g.UserID, "system_user", g.System, "reason", why)
}

func (c *Chain) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// refresh gives the token of a pair that is newer than the present one.
func (c *Chain) refresh(ctx context.Context) (leads.Secret, error) {
	for waits := 0; ; {
		spent := c.grant
		next, err := c.renew(ctx, spent)
		switch {
		case err == nil:
			c.grant = next
			return next.AccessToken, nil
		case errors.Is(err, errBegun) && waits < beginWaits:
			waits++
			err = c.look(ctx, spent)
		case ReactionTo(err) == Reauthorize:
			err = c.lost(ctx, spent, err)
		}
		if err != nil {
			return "", err
		}
		if c.grant.RefreshToken != spent.RefreshToken && !c.expired(c.grant) {
			return c.grant.AccessToken, nil
		}
	}
}

// look waits a moment where the stored pair is still the one that somebody else spends.
func (c *Chain) look(ctx context.Context, spent leads.Grant) error {
	if err := c.load(ctx, nil); err != nil || c.grant.RefreshToken != spent.RefreshToken {
		return err
	}
	return pause(ctx, lookEvery)
}

// errBegun says that somebody else is refreshing the same pair right now, or has.
var errBegun = errors.New("somebody else refreshes the tokens")

// errNoSecret says that tokens cannot be refreshed for want of configuration.
var errNoSecret = errors.New("the access token has expired and cannot be refreshed: set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET")

// renew spends a pair's refresh token and stores what comes for it before anybody uses
// it: a pair that is used and then lost is the end of the chain. Nothing that ends the
// caller may come between.
func (c *Chain) renew(ctx context.Context, g leads.Grant) (leads.Grant, error) {
	if c.OAuth.ClientID == "" || c.OAuth.ClientSecret == "" {
		return g, errNoSecret
	}
	// A database that cannot be written would lose the pair: then nothing is spent.
	begun, err := c.Grants.BeginRefresh(ctx, g, c.By, refreshMark)
	if err != nil {
		return g, err
	}
	if !begun {
		return g, errBegun
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	pair, err := c.OAuth.Refresh(work, c.Server, g.RefreshToken)
	if err != nil {
		if c.grant.RefreshToken == g.RefreshToken && ReactionTo(err) == Repeat {
			c.grant.RefreshBegan = c.OAuth.Now() // the server may have answered
		}
		return g, fmt.Errorf("refresh the tokens of %s: %w", c.MemberID, err)
	}
	pair.MemberID, pair.System = c.MemberID, g.System
	c.unkept = &rotation{old: g.RefreshToken, next: pair.Grant}
	ours, err := c.keep(ctx)
	if err == nil && !ours {
		err = errBegun
	}
	return pair.Grant, err
}

// keep stores a pair that is not stored yet, and goes on trying for a while: the server
// knows no other pair any more. False where another pair is stored: somebody installed
// anew meanwhile, or we had stored this one without being told.
func (c *Chain) keep(ctx context.Context) (ours bool, err error) {
	if c.unkept == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	for attempt := 0; ; attempt++ {
		ours, err = c.Grants.RotateGrant(ctx, c.unkept.old, c.unkept.next)
		if err == nil {
			c.unkept = nil
			return ours, nil
		}
		c.log().ErrorContext(ctx, "refreshed tokens are not stored yet", "member_id", c.MemberID, "error", err)
		if pause(ctx, backoff(attempt)) != nil {
			return false, fmt.Errorf("store the refreshed tokens of %s: %w", c.MemberID, err)
		}
	}
}

// lost is for a refresh token that the server does not know. A new installation, or
// somebody else's refresh, may have stored another; there may be tokens of another user;
// otherwise somebody must authorize again.
func (c *Chain) lost(ctx context.Context, spent leads.Grant, refusal error) error {
	if began := spent.RefreshBegan; !began.IsZero() {
		// Whoever began it may be alive, and only late with storing what came.
		for waits := 0; waits < beginWaits && c.OAuth.Now().Sub(began) < refreshMark+keepLimit; waits++ {
			if err := c.look(ctx, spent); err != nil || c.grant.RefreshToken != spent.RefreshToken {
				return err
			}
		}
		refusal = fmt.Errorf("%w (a refresh that began at %s was never stored: the process ended, or the server's answer was lost)",
			refusal, began.UTC().Format(time.RFC3339))
	}
	c.bury(ctx, spent, refusal.Error())
	return c.load(ctx, refusal)
}

// KeepAlive refreshes pairs that were not used for so long that they would die: those of
// the users that are not preferred, and all of a portal where nothing happens.
func (c *Chain) KeepAlive(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ready(ctx); err != nil {
		return err
	}
	grants, err := c.Grants.Grants(ctx, c.MemberID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if c.dead[g.RefreshToken] || g.ExpiresAt.IsZero() || c.OAuth.Now().Before(g.ExpiresAt.Add(idleLimit)) {
			continue
		}
		next, err := c.renew(ctx, g)
		switch {
		case err == nil && c.grant.RefreshToken == g.RefreshToken:
			c.grant = next
		case err != nil && ReactionTo(err) == Reauthorize:
			c.bury(ctx, g, err.Error())
		case err != nil && !errors.Is(err, errBegun):
			return err
		}
	}
	return nil
}
