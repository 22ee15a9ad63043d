package portals

import (
	"sync"
	"time"
)

// Anybody can send callbacks that nobody can verify yet: so many are kept while the
// database answers.
var (
	keptOfOne = allowance{burst: 1000, pause: 50 * time.Millisecond}
	keptInAll = allowance{burst: 2000, pause: 20 * time.Millisecond}
)

// verifying knows the portals of which an installation is being verified.
type verifying struct {
	mu    sync.Mutex
	count map[string]int // by member_id
}

// begin notes that a verification has begun; the function ends it.
func (v *verifying) begin(memberID string) (end func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count == nil {
		v.count = map[string]int{}
	}
	v.count[memberID]++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.count[memberID]--; v.count[memberID] == 0 {
			delete(v.count, memberID)
		}
	}
}

// of tells whether the portal is being verified.
func (v *verifying) of(memberID string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.count[memberID] > 0
}

// learnWait is how long a callback waits for another one that teaches the portal's
// application_token. What waits behind it waits, too.
const learnWait = 25 * time.Second

// patience bounds how long callbacks of portals wait for their application_token.
type patience struct {
	mu     sync.Mutex
	spells map[string]spell // by member_id
}

// spell is a time in which callbacks of a portal wait.
type spell struct{ since, asked time.Time }

// lasts tells whether a callback that came at a time may wait longer. It waits from when
// it came, or from when the spell began: the database may have been down until then.
func (p *patience) lasts(memberID string, came, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.spells[memberID]
	switch {
	case !ok || now.Before(s.asked) || now.Sub(s.asked) > learnWait:
		s.since = now
	case came.After(s.since) && !came.After(now):
		s.since = came
	}
	s.asked = now
	if p.spells == nil || len(p.spells) >= cacheMax {
		p.spells = map[string]spell{}
	}
	p.spells[memberID] = s
	return now.Sub(s.since) < learnWait
}
