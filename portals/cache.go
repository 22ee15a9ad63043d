package portals

import (
	"context"
	"sync"
	"time"

	"leadsync/leads"
)

// Portals change when somebody installs, which is rare; callbacks come all the time. An
// unknown member_id is cached, too, for a shorter time: anybody can invent one.
const (
	knownFor   = 5 * time.Second
	unknownFor = time.Second
)

// Anybody can send wrong tokens: portals are read again because of them this often.
var (
	rereadsOfOne = allowance{burst: 3, pause: time.Second}
	rereadsInAll = allowance{burst: 30, pause: 100 * time.Millisecond}
)

// lookupLimit is how long a callback waits for the database before the cached portal is
// used although it is stale.
const lookupLimit = 500 * time.Millisecond

// cache keeps portals by member id, so that a callback costs no query.
type cache struct {
	load    func(ctx context.Context, memberID string) (leads.Portal, bool, error)
	now     func() time.Time
	limit   time.Duration // lookupLimit
	rereads *bound        // because a callback's token is another one

	mu      sync.Mutex
	entries byMember[cached]
}

type cached struct {
	portal leads.Portal
	known  bool
	until  time.Time
}

// portal returns the portal; false where it is unknown. While the database fails it
// returns the stale entry of a known portal; an error means that there is no such entry.
func (c *cache) portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	entry, ok, fresh := c.look(memberID)
	if fresh {
		return entry.portal, entry.known, nil
	}
	p, known, err := c.read(ctx, memberID)
	if err != nil && ok && entry.known {
		c.keep(memberID, entry)
		return entry.portal, true, nil
	}
	return p, known, err
}

// read reads the portal and keeps it.
func (c *cache) read(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	p, known, err := c.load(limited, memberID)
	if err != nil {
		return p, false, err
	}
	c.put(memberID, p, known)
	return p, known, nil
}

// look finds an entry. Of the callbacks that find a stale one, the first refreshes it and
// the others use it as it is: only one waits for a slow database.
func (c *cache) look(memberID string) (entry cached, ok, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok = c.entries.get(memberID)
	if !ok || c.now().Before(entry.until) {
		return entry, ok, ok
	}
	if entry.known {
		later := entry
		later.until = c.now().Add(lookupLimit)
		c.entries.put(memberID, later)
	}
	return entry, true, false
}

func (c *cache) put(memberID string, p leads.Portal, known bool) {
	life := unknownFor
	if known {
		life = knownFor
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.put(memberID, cached{portal: p, known: known, until: c.now().Add(life)})
}

// keep extends the life of a stale entry.
func (c *cache) keep(memberID string, entry cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry.until = c.now().Add(unknownFor)
	c.entries.put(memberID, entry)
}

// forget makes the next callback of a portal read it again.
func (c *cache) forget(memberID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.drop(memberID)
}
