package owner_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/owner"
)

// missing are leads that the portal did not find once.
type missing struct {
	owner.Repairs
	ids []int64
}

func (m missing) Missing(context.Context, string, int) ([]int64, error) { return m.ids, nil }

// sizesReader notes how many leads are asked for at once.
type sizesReader struct {
	next consumers.Reader

	mu    sync.Mutex
	sizes []int
}

// Leads implements consumers.Reader.
func (r *sizesReader) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	r.mu.Lock()
	r.sizes = append(r.sizes, len(ids))
	r.mu.Unlock()
	return r.next.Leads(ctx, ids)
}

func (r *sizesReader) first(n int) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sizes[:min(n, len(r.sizes))])
}

// Live reads get their turn while the owner asks again for many absent leads.
func TestAbsentLeadsAreAskedForFiftyAtATime(t *testing.T) {
	h := open(t, 0)
	ids := make([]int64, 120)
	for i := range ids {
		ids[i] = int64(1000 + i)
	}
	cfg := h.config()
	cfg.Mirror.Repairs = missing{h.db, ids}
	reader := &sizesReader{}
	cfg.Reader = func(_ owner.Ownership, next consumers.Reader) consumers.Reader {
		reader.next = next
		return reader
	}
	h.work(cfg)
	h.until("all were asked for", func() bool { return len(reader.first(3)) == 3 })
	if got := reader.first(3); !slices.Equal(got, []int{50, 50, 20}) {
		t.Errorf("asked for %v leads at once", got)
	}
}
