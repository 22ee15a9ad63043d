package portals

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// bound limits what strangers can cause: for a portal, and in all. It is safe for
// concurrent use.
type bound struct {
	each allowance // for one portal

	mu      sync.Mutex
	all     *rate.Limiter
	members byMember[*rate.Limiter] // forgotten ones begin anew; the bound in all stays
}

// allowance is a burst at once, and then one more after each pause.
type allowance struct {
	burst int
	pause time.Duration
}

func (a allowance) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(a.pause), a.burst) }

func newBound(each, all allowance) *bound {
	return &bound{each: each, all: all.limiter()}
}

// allow tells whether a portal may cause one more now, and counts it.
func (b *bound) allow(memberID string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.members.get(memberID)
	if !ok {
		one = b.each.limiter()
		b.members.put(memberID, one)
	}
	return one.AllowN(now, 1) && b.all.AllowN(now, 1)
}
