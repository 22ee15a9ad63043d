package bitrix24

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// Grants stores a portal's tokens.
type Grants interface {
	// Grants returns the portal's pairs of tokens, one for each user, the preferred first.
	Grants(ctx context.Context, memberID string) ([]leads.Grant, error)
	// BeginRefresh records that the process by is about to use a pair's refresh token. It
	// returns false if the pair is no longer stored, or if another process began to refresh
	// it less than life ago.
	BeginRefresh(ctx context.Context, pair leads.Grant, by string, life time.Duration) (bool, error)
	// RotateGrant replaces the pair with the old refresh token; it returns false if that
	// pair is no longer stored.
	RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error)
}

// TokenSource supplies a portal's access tokens and refreshes them: each refresh returns a
// pair that replaces the one before. If the portal issued tokens to several users, it uses
// the preferred user's until they are no longer valid, then another's. Only the portal's
// owner has a TokenSource. The owner before may still be refreshing a pair; BeginRefresh
// keeps the two apart. It is safe for concurrent use.
type TokenSource struct {
	MemberID string
	Server   string // the portal's authorization server
	OAuth    *OAuth
	Grants   Grants
	By       string       // names this process
	Log      *slog.Logger // nil logs nothing

	mu      sync.Mutex
	grant   leads.Grant           // the current pair
	dead    map[leads.Secret]bool // refresh tokens that the server or the portal refused
	pending *rotation             // the server issued it, the database has not stored it yet
}

// rotation is a pair that replaces another.
type rotation struct {
	old  leads.Secret
	next leads.Grant
}

const (
	// expiryMargin is how long before its expiry a token is no longer used.
	expiryMargin = 5 * time.Second
	// refreshLimit is how long a refresh may take. It must end before another process may
	// begin one.
	refreshLimit = 10 * time.Second
	// refreshMark is how long other processes do not refresh a pair after one began to.
	refreshMark = 15 * time.Second
	// storeLimit is how long storing a new pair is tried before the caller gets the error.
	storeLimit = 20 * time.Second
	// lookInterval is how often the source checks whether another process's refresh is
	// stored. lookLimit is how often at most: for twice as long as a refresh may take.
	lookInterval = time.Second / 2
	lookLimit    = int(2 * refreshMark / lookInterval)
	// idleLimit is how long after its access token expired an unused pair is refreshed: a
	// refresh token is valid for 180 days (docs/bitrix24.md 1.5).
	idleLimit = 150 * 24 * time.Hour
)

// Token implements Tokens.
func (s *TokenSource) Token(ctx context.Context) (leads.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token(ctx)
}

func (s *TokenSource) token(ctx context.Context) (leads.Secret, error) {
	if err := s.ensureStored(ctx); err != nil {
		return "", err
	}
	if s.expired(s.grant) {
		return s.refresh(ctx)
	}
	return s.grant.AccessToken, nil
}

// ensureStored makes sure that the current pair is one that is stored.
func (s *TokenSource) ensureStored(ctx context.Context) error {
	current, err := s.storePending(ctx)
	if err != nil {
		return err
	}
	if s.grant.AccessToken == "" || !current {
		return s.load(ctx, nil)
	}
	return nil
}

// expired leaves a margin for the time that a request needs to reach the portal. If a token
// expires on its way all the same, the portal refuses it and it is refreshed.
func (s *TokenSource) expired(g leads.Grant) bool {
	return !g.ExpiresAt.IsZero() && s.OAuth.Now().After(g.ExpiresAt.Add(-expiryMargin))
}

// Refresh implements Tokens. Callers whose same token was refused share one refresh.
func (s *TokenSource) Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensureStored(ctx); err != nil {
		return "", err
	}
	if refused != s.grant.AccessToken {
		return s.token(ctx)
	}
	return s.refresh(ctx)
}

// Abandon implements Tokens: the user was dismissed or may no longer use the application,
// so refreshing would not help.
func (s *TokenSource) Abandon(ctx context.Context, refused leads.Secret) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused != s.grant.AccessToken {
		return true, nil
	}
	s.markDead(ctx, s.grant, "the portal does not accept its user")
	err := s.load(ctx, nil)
	if errors.Is(err, leads.ErrUnauthorized) {
		return false, nil
	}
	return err == nil, err
}

// Reload makes the next call load the tokens again: an installation has stored new ones.
func (s *TokenSource) Reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant, s.dead = leads.Grant{}, nil
}

// Close stores a pair that could not be stored yet, if there is one: the portal's next owner
// needs it.
func (s *TokenSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.storePending(context.Background())
	return err
}

// load makes the preferred pair that is not known to be dead the current one. If there is
// none, it returns cause, or if that is nil, an error that asks for authorization.
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
		return &Error{Method: "oauth", Description: "no tokens are stored for portal " + s.MemberID, Reaction: Reauthorize}
	default:
		return &Error{Method: "oauth", Description: "no stored token of portal " + s.MemberID + " is valid any more", Reaction: Reauthorize}
	}
}

// markDead remembers that a pair is no longer valid.
func (s *TokenSource) markDead(ctx context.Context, g leads.Grant, why string) {
	if s.dead == nil {
		s.dead = map[leads.Secret]bool{}
	}
	s.dead[g.RefreshToken] = true
	s.log().WarnContext(ctx, "tokens of a user are no longer valid, using another user's if there is one", "member_id", s.MemberID, "user_id", g.UserID, "system_user", g.System, "reason", why)
}

func (s *TokenSource) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// refresh returns the access token of a pair that is newer than the current one.
func (s *TokenSource) refresh(ctx context.Context) (leads.Secret, error) {
	for waits := 0; ; {
		spent := s.grant
		next, err := s.renew(ctx, spent)
		switch {
		case err == nil:
			s.grant = next
			return next.AccessToken, nil
		case errors.Is(err, errRefreshing) && waits < lookLimit:
			waits++
			err = s.awaitOther(ctx, spent)
		case ReactionTo(err) == Reauthorize:
			err = s.replace(ctx, spent, err)
		}
		if err != nil {
			return "", err
		}
		if s.grant.RefreshToken != spent.RefreshToken && !s.expired(s.grant) {
			return s.grant.AccessToken, nil
		}
	}
}

// awaitOther loads the stored pair, and waits a moment if it is still the one that another
// process is refreshing.
func (s *TokenSource) awaitOther(ctx context.Context, spent leads.Grant) error {
	if err := s.load(ctx, nil); err != nil || s.grant.RefreshToken != spent.RefreshToken {
		return err
	}
	return retry.Wait(ctx, lookInterval)
}

// errRefreshing says that another process is refreshing the same pair, or has done so.
var errRefreshing = errors.New("another process is refreshing the tokens")

// errNoSecret says that the configuration lacks what a refresh needs.
var errNoSecret = fmt.Errorf("the access token has expired and cannot be refreshed without LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET: %w", leads.ErrMisconfigured)

// renew uses a pair's refresh token, and stores the new pair before anybody uses it: the
// server accepts no other any more, so losing it means that somebody must authorize again.
// That is why the end of the caller's context does not interrupt it.
func (s *TokenSource) renew(ctx context.Context, g leads.Grant) (leads.Grant, error) {
	if s.OAuth.ClientID == "" || s.OAuth.ClientSecret == "" {
		return g, errNoSecret
	}
	// If the database cannot be written now, the refresh token is not used.
	begun, err := s.Grants.BeginRefresh(ctx, g, s.By, refreshMark)
	if err != nil {
		return g, err
	}
	if !begun {
		return g, errRefreshing
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
	s.pending = &rotation{old: g.RefreshToken, next: pair.Grant}
	current, err := s.storePending(ctx)
	if err == nil && !current {
		err = errRefreshing
	}
	return pair.Grant, err
}

// storePending stores a pair that is not stored yet, and keeps trying for a while: the server
// accepts no other pair any more. It returns false if a different pair is stored: somebody
// installed again meanwhile, or an attempt that seemed to fail had stored this one.
func (s *TokenSource) storePending(ctx context.Context) (current bool, err error) {
	if s.pending == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	attempts := retry.Loop{Policy: repeatPolicy, Failed: func(err error, _ int, pause time.Duration) {
		s.log().ErrorContext(ctx, "refreshed tokens are not stored yet, trying again", "member_id", s.MemberID, "error", err, "pause", pause)
	}}
	err = attempts.Until(ctx, func(ctx context.Context) error {
		current, err = s.Grants.RotateGrant(ctx, s.pending.old, s.pending.next)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store the refreshed tokens of %s: %w", s.MemberID, err)
	}
	s.pending = nil
	return current, nil
}

// replace loads another pair after the server refused a refresh token. A new installation or
// another process may have stored one, or there may be tokens of another user. Otherwise
// somebody must authorize again.
func (s *TokenSource) replace(ctx context.Context, spent leads.Grant, refusal error) error {
	if began := spent.RefreshBegan; !began.IsZero() {
		// The process that began a refresh may still be running and about to store the pair.
		for waits := 0; waits < lookLimit && s.OAuth.Now().Sub(began) < refreshMark+storeLimit; waits++ {
			if err := s.awaitOther(ctx, spent); err != nil || s.grant.RefreshToken != spent.RefreshToken {
				return err
			}
		}
		refusal = fmt.Errorf("%w (a refresh that began at %s was never stored: the process ended, or the server's answer was lost)",
			refusal, began.UTC().Format(time.RFC3339))
	}
	s.markDead(ctx, spent, refusal.Error())
	return s.load(ctx, refusal)
}

// KeepAlive refreshes the pairs that have not been used for so long that they would soon
// expire: those of users that are not preferred, and all pairs of an idle portal.
func (s *TokenSource) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensureStored(ctx); err != nil {
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
			s.markDead(ctx, g, err.Error())
		case err != nil && !errors.Is(err, errRefreshing):
			return err
		}
	}
	return nil
}
