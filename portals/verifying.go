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

// learnDeadlines says until when callbacks of portals wait for their application_token.
type learnDeadlines struct {
	mu    sync.Mutex
	waits byMember[learnWaiting]
}

// learnWaiting is a time in which callbacks of a portal wait.
type learnWaiting struct{ since, asked time.Time }

// ahead tells whether the deadline of a callback that came at a time is still ahead. It is
// learnWait after the callback came, or after the waiting began: the database may have been
// down until then.
func (l *learnDeadlines) ahead(memberID string, came, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.waits.get(memberID)
	switch {
	case !ok || now.Before(w.asked) || now.Sub(w.asked) > learnWait:
		w.since = now
	case came.After(w.since) && !came.After(now):
		w.since = came
	}
	w.asked = now
	l.waits.put(memberID, w)
	return now.Sub(w.since) < learnWait
}
