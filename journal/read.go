package journal

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Query says what to look for.
type Query struct {
	MemberID string
	LeadID   int64
	From, To time.Time // To zero is until now
	Most     int       // entries, the newest; 0 is 10,000
}

// Record is what a journal has about a lead.
type Record struct {
	// Entries are about the lead, its portal as a whole, and every portal, in the order of time.
	Entries []Entry
	// Oldest is when the journal begins; zero where it is empty.
	Oldest time.Time
	// Cut says that there are earlier entries than the newest Query.Most.
	Cut bool
	// Damaged are segments of which a part cannot be read; Unreadable are those that another user
	// has written, or that the disk does not give.
	Damaged, Unreadable int
}

const (
	// readersMost is how many segments are read at the same time.
	readersMost = 4
	// entriesMost is how many entries of a lead are kept in memory, as long as nobody says more.
	entriesMost = 10_000
)

// Look reads the journal of a directory, while it is written or not. A directory that does not
// exist is an empty journal.
func Look(ctx context.Context, dir string, q Query) (Record, error) {
	if q.To.IsZero() {
		q.To = time.Now().Add(24 * time.Hour) // clocks are set back
	}
	if q.Most <= 0 {
		q.Most = entriesMost
	}
	list, err := segments(dir)
	if err != nil {
		return Record{}, err
	}
	found := lookAll(ctx, list, q)
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	var r Record
	if len(list) > 0 {
		r.Oldest = list[0].began
	}
	for _, p := range found {
		r.Entries = append(r.Entries, p.entries...)
		r.Cut = r.Cut || p.cut
		r.Damaged += p.damaged
		r.Unreadable += p.unreadable
	}
	slices.SortStableFunc(r.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	if more := len(r.Entries) - q.Most; more > 0 {
		r.Entries, r.Cut = r.Entries[more:], true
	}
	return r, nil
}

// lookAll looks into segments, the newest first, until there is enough.
func lookAll(ctx context.Context, list []segment, q Query) []part {
	found := make([]part, len(list))
	var readers sync.WaitGroup
	var next, enough atomic.Int64
	for range min(readersMost, len(list)) {
		readers.Go(func() {
			for i := len(list) - int(next.Add(1)); i >= 0 && ctx.Err() == nil; i = len(list) - int(next.Add(1)) {
				switch {
				case endedBefore(list[i:], q.From):
				case enough.Load() >= int64(q.Most):
					found[i].cut = true
				default:
					found[i] = look(list[i], q, mayGrow(list[i:]))
					enough.Add(int64(len(found[i].entries)))
				}
			}
		})
	}
	readers.Wait()
	return found
}

// endedBefore reports whether the first of these segments ended before a moment: its process
// began another one.
func endedBefore(list []segment, from time.Time) bool {
	return len(list) > 1 && list[0].mine && list[1].mine && list[1].began.Before(from)
}

// mayGrow reports whether somebody may be writing the first of these segments, or was killed
// while writing it, so that a torn end is no damage.
func mayGrow(list []segment) bool {
	return !list[0].mine || !slices.ContainsFunc(list[1:], func(s segment) bool { return s.mine })
}

// part is what a segment has.
type part struct {
	entries             []Entry
	cut                 bool // not all of them
	damaged, unreadable int  // 1 where it is
}

func look(s segment, q Query, growing bool) (p part) {
	whole, member := true, hashOf(q.MemberID)
	keys := []uint64{key(member, q.LeadID), key(member, 0), key(hashOf(""), 0)}
	r, err := scan(s.path, keys, func(payload []byte) {
		err := search(payload, q, func(e Entry) {
			if len(p.entries) >= 2*q.Most {
				p.entries, p.cut = append(p.entries[:0], p.entries[q.Most:]...), true
			}
			p.entries = append(p.entries, e)
		})
		whole = whole && err == nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return part{} // it was too old
	case err != nil:
		return part{unreadable: 1}
	case r.foreign, !whole, r.good < r.size && !growing:
		p.damaged = 1
	}
	return p
}
