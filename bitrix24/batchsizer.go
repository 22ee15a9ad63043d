package bitrix24

import (
	"errors"
	"net"
	"net/http"
	"sync"
)

// wallGoal is how many seconds a batch should take at most: the cloud cuts it off at 60
// (docs/bitrix24.md 4), and the next one may be slower.
const wallGoal = 20.0

// batchSizer chooses how many commands the next batch has. It halves the size after a batch
// that took too long, and raises it after one that went well: it doubles it, or, once a
// batch took too long, adds one. It is safe for concurrent use.
type batchSizer struct {
	mu    sync.Mutex
	size  int
	tight bool // a batch took too long, or got no answer that can be used: grow slowly
}

func newBatchSizer() *batchSizer { return &batchSizer{size: batchLimit} }

func (s *batchSizer) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// took records how many seconds a batch took on the portal.
func (s *batchSizer) took(commands int, seconds float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := s.size * 2
	if s.tight {
		grown = s.size + 1
	}
	if commands < s.size {
		grown = s.size // a short batch proves nothing about a long one
	}
	if seconds > 0 {
		grown = min(grown, int(float64(commands)*wallGoal/seconds))
	}
	s.size = min(max(1, grown), batchLimit)
}

// cut records that a batch of that many commands was too large.
func (s *batchSizer) cut(commands int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tight = true
	s.size = max(1, min(s.size, commands/2))
}

// acquit records that a single lead was the reason why batches got no answer, and not their
// size.
func (s *batchSizer) acquit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tight = false
}

// tooLong reports whether a request was cut off because it took too long: by the portal, or
// by our own time-out.
func tooLong(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusGatewayTimeout
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
