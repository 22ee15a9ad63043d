package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// sessionLife is how long a person stays logged in: a working day.
	sessionLife = 12 * time.Hour
	// mostSessions is how many are kept; the oldest gives way to a new one.
	mostSessions = 1000
)

// session is a person who has logged in.
type session struct {
	right Right
	until time.Time
	ended context.Context //nolint:containedctx // it is done when the session is over, for answers that are still under way
	end   context.CancelFunc
}

// sessions are kept in memory, by the hash of what the cookie has: a restart logs everybody
// out, and nobody can log in by what a dump of the memory shows.
type sessions struct {
	now func() time.Time

	mu sync.Mutex
	by map[[sha256.Size]byte]session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, by: map[[sha256.Size]byte]session{}}
}

// begin makes a session and returns its id, which nobody has seen before: an id that a
// browser brings along is never taken on.
func (s *sessions) begin(right Right) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	id := rand.Text()
	ended, end := context.WithCancel(context.Background())
	s.by[sha256.Sum256([]byte(id))] = session{right: right, until: s.now().Add(sessionLife), ended: ended, end: end}
	return id
}

// forget removes sessions that are over, and the oldest where there are too many.
func (s *sessions) forget() {
	var oldest [sha256.Size]byte
	for key, one := range s.by {
		if !one.until.After(s.now()) {
			one.end()
			delete(s.by, key)
		}
	}
	if len(s.by) < mostSessions {
		return
	}
	first := time.Time{}
	for key, one := range s.by {
		if first.IsZero() || one.until.Before(first) {
			oldest, first = key, one.until
		}
	}
	s.by[oldest].end()
	delete(s.by, oldest)
}

func (s *sessions) find(id string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.by[sha256.Sum256([]byte(id))]
	return one, ok && one.until.After(s.now())
}

// end logs out.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(id))
	if one, ok := s.by[key]; ok {
		one.end()
		delete(s.by, key)
	}
}
