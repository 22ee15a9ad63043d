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

// TokenSource is a portal's chain of tokens: each refresh gives a pair that replaces the one
// before, for ever. Where the portal has given tokens to several users, the others are
// kept for the day on which the preferred one's die. Only the portal's owner has a
// chain; that a former owner may still be at work is what BeginRefresh is for.
type TokenSource struct {
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
	// alive: it dies after 180 days (docs/bitrix24.md 1.5).
	idleLimit = 150 * 24 * time.Hour
)

// Token implements Tokens.
func (s *TokenSource) Token(ctx context.Context) (leads.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token(ctx)
}

func (s *TokenSource) token(ctx context.Context) (leads.Secret, error) {
	if err := s.ready(ctx); err != nil {
		return "", err
	}
	if s.expired(s.grant) {
		return s.refresh(ctx)
	}
	return s.grant.AccessToken, nil
}

// ready makes sure that the present pair is one that is stored.
func (s *TokenSource) ready(ctx context.Context) error {
	ours, err := s.keep(ctx)
	if err != nil {
		return err
	}
	if s.grant.AccessToken == "" || !ours {
		return s.load(ctx, nil)
	}
	return nil
}

// expired leaves a margin for the way to the portal; a token that ends there all the
// same is refused and refreshed.
func (s *TokenSource) expired(g leads.Grant) bool {
	return !g.ExpiresAt.IsZero() && s.OAuth.Now().After(g.ExpiresAt.Add(-expiryMargin))
}

// Refresh implements Tokens. Callers that were refused with the same token share one
// refresh.
func (s *TokenSource) Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return "", err
	}
	if refused != s.grant.AccessToken {
		return s.token(ctx)
	}
	return s.refresh(ctx)
}

// Abandon implements Tokens: the user was dismissed, or may not use the application any
// more, so refreshing would not help.
func (s *TokenSource) Abandon(ctx context.Context, refused leads.Secret) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused != s.grant.AccessToken {
		return true, nil
	}
	s.bury(ctx, s.grant, "the portal does not let its user in")
	err := s.load(ctx, nil)
	if errors.Is(err, leads.ErrUnauthorized) {
		return false, nil
	}
	return err == nil, err
}

// Reload makes the next call look for tokens anew: an installation has brought some.
func (s *TokenSource) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant, s.dead = leads.Grant{}, nil
}

// Close stores a pair that could not be stored yet, if there is one: whoever owns the
// portal next needs it.
func (s *TokenSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.keep(context.Background())
	return err
}

// load takes the preferred pair that is not known to be dead. Where all are, cause says
// why the last one is.
func (s *TokenSource) load(ctx context.Context, cause error) error {
	grants, err := s.Grants.Grants(ctx, s.MemberID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if !s.dead[g.RefreshToken] {
			s.grant = g
			return nil
		}
	}
	s.grant = leads.Grant{}
	switch {
	case cause != nil:
		return cause
	case len(grants) == 0:
		return &Error{Method: "oauth", Description: "there are no tokens for portal " + s.MemberID, Reaction: Reauthorize}
	default:
		return &Error{Method: "oauth", Description: "the tokens for portal " + s.MemberID + " are dead", Reaction: Reauthorize}
	}
}

// bury remembers that a pair is of no use.
func (s *TokenSource) bury(ctx context.Context, g leads.Grant, why string) {
	if s.dead == nil {
		s.dead = map[leads.Secret]bool{}
	}
	s.dead[g.RefreshToken] = true
	s.log().WarnContext(ctx, "tokens of a user are dead", "member_id", s.MemberID, "user_id", g.UserID, "system_user", g.System, "reason", why)
}

func (s *TokenSource) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// refresh gives the token of a pair that is newer than the present one.
func (s *TokenSource) refresh(ctx context.Context) (leads.Secret, error) {
	for waits := 0; ; {
		spent := s.grant
		next, err := s.renew(ctx, spent)
		switch {
		case err == nil:
			s.grant = next
			return next.AccessToken, nil
		case errors.Is(err, errBegun) && waits < beginWaits:
			waits++
			err = s.look(ctx, spent)
		case ReactionTo(err) == Reauthorize:
			err = s.lost(ctx, spent, err)
		}
		if err != nil {
			return "", err
		}
		if s.grant.RefreshToken != spent.RefreshToken && !s.expired(s.grant) {
			return s.grant.AccessToken, nil
		}
	}
}

// look waits a moment where the stored pair is still the one that somebody else spends.
func (s *TokenSource) look(ctx context.Context, spent leads.Grant) error {
	if err := s.load(ctx, nil); err != nil || s.grant.RefreshToken != spent.RefreshToken {
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
func (s *TokenSource) renew(ctx context.Context, g leads.Grant) (leads.Grant, error) {
	if s.OAuth.ClientID == "" || s.OAuth.ClientSecret == "" {
		return g, errNoSecret
	}
	// A database that cannot be written would lose the pair: then nothing is spent.
	begun, err := s.Grants.BeginRefresh(ctx, g, s.By, refreshMark)
	if err != nil {
		return g, err
	}
	if !begun {
		return g, errBegun
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	pair, err := s.OAuth.Refresh(work, s.Server, g.RefreshToken)
	if err != nil {
		if s.grant.RefreshToken == g.RefreshToken && ReactionTo(err) == Repeat {
			s.grant.RefreshBegan = s.OAuth.Now() // the server may have answered
		}
		return g, fmt.Errorf("refresh the tokens of %s: %w", s.MemberID, err)
	}
	pair.MemberID, pair.System = s.MemberID, g.System
	s.unkept = &rotation{old: g.RefreshToken, next: pair.Grant}
	ours, err := s.keep(ctx)
	if err == nil && !ours {
		err = errBegun
	}
	return pair.Grant, err
}

// keep stores a pair that is not stored yet, and goes on trying for a while: the server
// knows no other pair any more. False where another pair is stored: somebody installed
// anew meanwhile, or we had stored this one without being told.
func (s *TokenSource) keep(ctx context.Context) (ours bool, err error) {
	if s.unkept == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	for attempt := 0; ; attempt++ {
		ours, err = s.Grants.RotateGrant(ctx, s.unkept.old, s.unkept.next)
		if err == nil {
			s.unkept = nil
			return ours, nil
		}
		s.log().ErrorContext(ctx, "refreshed tokens are not stored yet", "member_id", s.MemberID, "error", err)
		if pause(ctx, backoff(attempt)) != nil {
			return false, fmt.Errorf("store the refreshed tokens of %s: %w", s.MemberID, err)
		}
	}
}

// lost is for a refresh token that the server does not know. A new installation, or
// somebody else's refresh, may have stored another; there may be tokens of another user;
// otherwise somebody must authorize again.
func (s *TokenSource) lost(ctx context.Context, spent leads.Grant, refusal error) error {
	if began := spent.RefreshBegan; !began.IsZero() {
		// Whoever began it may be alive, and only late with storing what came.
		for waits := 0; waits < beginWaits && s.OAuth.Now().Sub(began) < refreshMark+keepLimit; waits++ {
			if err := s.look(ctx, spent); err != nil || s.grant.RefreshToken != spent.RefreshToken {
				return err
			}
		}
		refusal = fmt.Errorf("%w (a refresh that began at %s was never stored: the process ended, or the server's answer was lost)",
			refusal, began.UTC().Format(time.RFC3339))
	}
	s.bury(ctx, spent, refusal.Error())
	return s.load(ctx, refusal)
}

// KeepAlive refreshes pairs that were not used for so long that they would die: those of
// the users that are not preferred, and all of a portal where nothing happens.
func (s *TokenSource) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	grants, err := s.Grants.Grants(ctx, s.MemberID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if s.dead[g.RefreshToken] || g.ExpiresAt.IsZero() || s.OAuth.Now().Before(g.ExpiresAt.Add(idleLimit)) {
			continue
		}
		next, err := s.renew(ctx, g)
		switch {
		case err == nil && s.grant.RefreshToken == g.RefreshToken:
			s.grant = next
		case err != nil && ReactionTo(err) == Reauthorize:
			s.bury(ctx, g, err.Error())
		case err != nil && !errors.Is(err, errBegun):
			return err
		}
	}
	return nil
}
