package access

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// attemptsAtOnce is how many wrong tokens an address may show before it has to wait.
	attemptsAtOnce = 10
	// attemptEvery is how long each further one takes.
	attemptEvery = 6 * time.Second
	// mostAddresses is how many addresses are remembered; beyond that, new ones share one count.
	mostAddresses = 4096
)

// attempts counts wrong tokens by the address they came from.
type attempts struct {
	now func() time.Time

	mu    sync.Mutex
	by    map[netip.Prefix]*rate.Limiter
	other *rate.Limiter // of all addresses for which there is no room
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, by: map[netip.Prefix]*rate.Limiter{}, other: newLimiter()}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(attemptEvery), attemptsAtOnce) }

// allowed tells whether a token from the address may be looked at.
func (a *attempts) allowed(from netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter, known := a.by[network(from)]
	if !known {
		return len(a.by) < mostAddresses || a.other.TokensAt(a.now()) >= 1
	}
	return limiter.TokensAt(a.now()) >= 1
}

// failed counts a wrong token.
func (a *attempts) failed(from netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, now := network(from), a.now()
	if _, known := a.by[key]; !known && len(a.by) >= mostAddresses {
		for other, limiter := range a.by {
			if limiter.TokensAt(now) >= attemptsAtOnce { // it has waited long enough to be forgotten
				delete(a.by, other)
			}
		}
	}
	limiter, known := a.by[key]
	switch {
	case known:
	case len(a.by) >= mostAddresses:
		limiter = a.other
	default:
		limiter = newLimiter()
		a.by[key] = limiter
	}
	limiter.AllowN(now, 1)
}

// network is what one attacker has at his disposal: an IPv4 address, or the /64 of an IPv6 one.
func network(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	prefix, err := from.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of no address, such as that of a unix socket's peer
	}
	return prefix
}
