package bitrix24

import (
	"context"
	"sync"
	"sync/atomic"
)

// oddities counts rows that are left out of lists, and logs each kind once: a portal that
// sends such a row sends it again in every pass. It is safe for concurrent use.
type oddities struct {
	rows atomic.Int64
	said sync.Map // kind → true
}

// The kinds of rows that are left out.
const (
	oddID      = "the portal lists a row whose id is not a number that fits, leaving it out"
	oddForeign = "the portal returns a lead that was not asked for, leaving it out"
	oddEvent   = "the portal's offline queue returns an event that cannot be read, leaving it out"
)

// leaveOut notes that rows of that kind were left out.
func (c *Client) leaveOut(ctx context.Context, kind string, rows int, method string) {
	if rows == 0 {
		return
	}
	c.shared.odd.rows.Add(int64(rows))
	if _, said := c.shared.odd.said.LoadOrStore(kind, true); !said {
		c.cfg.Log.WarnContext(ctx, kind, "portal", hostIn(c.shared.currentEndpoint().Reveal()), "method", method, "rows", rows) //nolint:sloglint // one of the constants above
	}
}
