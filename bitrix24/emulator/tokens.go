package emulator

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// tokens are the codes and tokens that the authorization server has issued.
type tokens struct {
	accessLife, refreshLife, codeLife time.Duration
	lenient                           bool // a used refresh token stays valid
	killsAccess                       bool // using a refresh token invalidates its access token

	mu      sync.Mutex
	rng     *rng
	access  map[string]accessGrant
	refresh map[string]refreshGrant
	codes   map[string]codeGrant
	events  map[int]string // by user: the access token in callbacks that the user caused
}

type accessGrant struct {
	user    int
	expires time.Time
}

type refreshGrant struct {
	user    int
	access  string // its pair
	expires time.Time
}

type codeGrant struct {
	user    int
	expires time.Time
}

// tokenPair is what an answer with tokens contains.
type tokenPair struct {
	access, refresh string
	user            int
	expires         time.Time
}

func newTokens(cfg *Config) *tokens {
	return &tokens{
		accessLife: cfg.AccessLife, refreshLife: cfg.RefreshLife, codeLife: cfg.CodeLife,
		lenient: cfg.Switches.LenientRotation, killsAccess: cfg.Switches.RefreshKillsAccess,
		rng:     newRNG(cfg.Seed, useTokens),
		access:  map[string]accessGrant{},
		refresh: map[string]refreshGrant{},
		codes:   map[string]codeGrant{},
		events:  map[int]string{},
	}
}

// code issues an authorization code.
func (t *tokens) code(user int, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	code := t.token(user, now.Add(t.codeLife))
	t.codes[code] = codeGrant{user: user, expires: now.Add(t.codeLife)}
	return code
}

// exchange issues tokens for a code, once.
func (t *tokens) exchange(code string, now time.Time) (tokenPair, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.codes[code]
	delete(t.codes, code)
	if !ok || !now.Before(g.expires) {
		return tokenPair{}, false
	}
	return t.issue(g.user, now), true
}

// renew issues a new pair for a refresh token, which is then no longer valid unless rotation
// is lenient (docs/bitrix24.md 1.5).
func (t *tokens) renew(old string, now time.Time) (tokenPair, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.refresh[old]
	if !ok || !now.Before(g.expires) {
		return tokenPair{}, false
	}
	if !t.lenient {
		delete(t.refresh, old)
	}
	if t.killsAccess {
		delete(t.access, g.access)
	}
	return t.issue(g.user, now), true
}

// pair issues tokens for a user without a code, for installation events.
func (t *tokens) pair(user int, now time.Time) tokenPair {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.issue(user, now)
}

// event returns an access token of the user for callbacks. It uses one for half its lifetime,
// so that a mass edit does not issue a thousand.
func (t *tokens) event(user int, now time.Time) (token string, expires time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	token = t.events[user]
	if g, ok := t.access[token]; ok && g.expires.Sub(now) > t.accessLife/2 {
		return token, g.expires
	}
	expires = now.Add(t.accessLife)
	token = t.token(user, expires)
	t.access[token] = accessGrant{user: user, expires: expires}
	t.events[user] = token
	return token, expires
}

func (t *tokens) issue(user int, now time.Time) tokenPair {
	p := tokenPair{user: user, expires: now.Add(t.accessLife)}
	p.access = t.token(user, p.expires)
	p.refresh = t.token(user, now.Add(t.refreshLife))
	t.access[p.access] = accessGrant{user: user, expires: p.expires}
	t.refresh[p.refresh] = refreshGrant{user: user, access: p.access, expires: now.Add(t.refreshLife)}
	t.sweep(now)
	return p
}

// sweep deletes access tokens that expired a day ago.
func (t *tokens) sweep(now time.Time) {
	if len(t.access) < 1000 {
		return
	}
	for token, g := range t.access {
		if now.Sub(g.expires) > 24*time.Hour {
			delete(t.access, token)
		}
	}
}

// token has the form of real tokens: 70 lower-case hex digits. The first eight are the
// little-endian expiry, eight from the 25th on are the user id (docs/bitrix24.md 1.4).
func (t *tokens) token(user int, expires time.Time) string {
	var when [4]byte
	binary.LittleEndian.PutUint32(when[:], uint32(expires.Unix())) //nolint:gosec // valid until 2106
	return hex.EncodeToString(when[:]) + t.rng.hex(16) + fmt.Sprintf("%08x", user) + t.rng.hex(38)
}

// check returns the user of an access token.
func (t *tokens) check(token string, now time.Time) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.access[token]
	switch {
	case !ok:
		return 0, errNoAuth
	case !now.Before(g.expires):
		return 0, errExpired
	default:
		return g.user, nil
	}
}

// expiry is when an access token expires.
func (t *tokens) expiry(token string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.access[token].expires
}

// expire makes all access tokens expire now; refresh tokens stay valid.
func (t *tokens) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, g := range t.access {
		g.expires = now
		t.access[token] = g
	}
}

// clear invalidates everything, as an uninstallation does.
func (t *tokens) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.access)
	clear(t.refresh)
	clear(t.codes)
	clear(t.events)
}
