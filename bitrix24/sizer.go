package bitrix24

import (
	"errors"
	"net"
	"net/http"
	"sync"
)

// wallGoal is how long a batch should take at most, in seconds: the cloud cuts it at 60
// (docs/bitrix24.md 4), and the next may be slower.
const wallGoal = 20.0

// sizer chooses how many commands the next batch has. A batch that was cut is halved;
// what went well is tried with more, at first doubled, then by one.
type sizer struct {
	mu    sync.Mutex
	size  int
	tight bool // a batch was cut: grow slowly
}

func newSizer() *sizer { return &sizer{size: batchLimit} }

func (s *sizer) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// took notes how long a batch took on the portal, in seconds.
func (s *sizer) took(commands int, seconds float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := s.size * 2
	if s.tight {
		grown = s.size + 1
	}
	if commands < s.size {
		grown = s.size // a short batch proves nothing of a long one
	}
	if seconds > 0 {
		grown = min(grown, int(float64(commands)*wallGoal/seconds))
	}
	s.size = min(max(1, grown), batchLimit)
}

// cut notes that a batch took too long.
func (s *sizer) cut(commands int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tight = true
	s.size = max(1, min(s.size, commands/2))
}

// tooLong tells whether a request was cut because it took too long: by the portal, or by
// our own time-out.
func tooLong(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusGatewayTimeout
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
