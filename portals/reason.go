package handlers

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Stats counts the callbacks of this process since it started.
type Stats struct {
	Received atomic.Int64 // stored, and answered 200
	Blind    atomic.Int64 // came while the database could not say whose they were

	mu      sync.Mutex
	refused map[string]int64
}

// The reasons for which callbacks are refused or left alone.
const (
	RefusedForm    = "unparsable"     // 400
	RefusedTooLong = "too_long"       // 413
	RefusedPortal  = "unknown_portal" // 403
	RefusedToken   = "wrong_token"    // 403
	RefusedInstall = "not_verified"   // 403
	RefusedIll     = "unavailable"    // 500 or 503: the database, NATS or Bitrix24
	RefusedLater   = "forged"         // 200 while the database was down; dropped when it could be asked
	UnknownEvent   = "unknown_event"  // 200
)

// Refused returns the counts by reason.
func (t *Stats) Refused() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := make(map[string]int64, len(t.refused))
	maps.Copy(counts, t.refused)
	return counts
}

func (t *Stats) refuse(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = map[string]int64{}
	}
	t.refused[reason]++
}
