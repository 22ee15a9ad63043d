package handlers

import (
	"context"
	"sync"
	"time"

	"leadsync/leads"
)

// Portals change when somebody installs, which is rare; callbacks come all the time. An
// unknown member_id is remembered too, for a shorter time: anybody can invent them.
const (
	knownFor   = 5 * time.Second
	unknownFor = time.Second
	cacheMax   = 10_000
)

// cache keeps portals by member id, so that a callback costs no query.
type cache struct {
	load func(ctx context.Context, memberID string) (leads.Portal, bool, error)
	now  func() time.Time

	mu      sync.Mutex
	entries map[string]cached
}

type cached struct {
	portal leads.Portal
	known  bool
	until  time.Time
}

// portal returns the portal; false where it is unknown.
func (c *cache) portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	c.mu.Lock()
	entry, ok := c.entries[memberID]
	c.mu.Unlock()
	if ok && c.now().Before(entry.until) {
		return entry.portal, entry.known, nil
	}
	p, known, err := c.load(ctx, memberID)
	if err != nil {
		return p, false, err
	}
	life := unknownFor
	if known {
		life = knownFor
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= cacheMax {
		c.entries = map[string]cached{}
	}
	c.entries[memberID] = cached{portal: p, known: known, until: c.now().Add(life)}
	return p, known, nil
}

// forget makes the next callback of a portal look again.
func (c *cache) forget(memberID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, memberID)
}
