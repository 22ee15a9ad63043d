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
	// Most is how many entries about the lead are wanted, the newest; as many about the portal as a
	// whole, and as many refusals. 0 is 10,000.
	Most int
}

// Record is what a journal has about a lead.
type Record struct {
	// Entries are about the lead, its portal as a whole, and every portal, in the order of time.
	Entries []Entry
	// Oldest is when the journal begins; zero where it is empty.
	Oldest time.Time
	// Cut says that there are earlier entries about the lead than the newest Query.Most; CutWhole
	// and CutRefused say so of those about the portal as a whole, and of refusals.
	Cut, CutWhole, CutRefused bool
	// Damaged are segments of which a part cannot be read; Unreadable are those that another user
	// has written, or that the disk does not give.
	Damaged, Unreadable int
}

const (
	// readersMost is how many segments are read at the same time.
	readersMost = 4
	// entriesMost is how many entries of a sort are kept in memory, as long as nobody says more.
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
	var sorts [sortsOfEntries]kept
	for _, p := range found {
		for i := range sorts {
			sorts[i].entries = append(sorts[i].entries, p.sorts[i].entries...)
			sorts[i].cut = sorts[i].cut || p.sorts[i].cut
		}
		r.Damaged += p.damaged
		r.Unreadable += p.unreadable
	}
	for i := range sorts {
		sorts[i].newest(q.Most)
		r.Entries = append(r.Entries, sorts[i].entries...)
	}
	byTime(r.Entries)
	r.Cut, r.CutWhole, r.CutRefused = sorts[ofLead].cut, sorts[ofWhole].cut, sorts[ofStrangers].cut
	return r, nil
}

func byTime(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.At.Compare(b.At) })
}

// The sorts of entries, of which the newest Query.Most each are kept: what strangers cause must
// not displace the lead's own, and what a portal has many of must not, either.
const (
	ofLead      = iota
	ofWhole     // the portal as a whole, and every portal
	ofStrangers // what was not genuine: anybody can send it, for any lead
	sortsOfEntries
)

func sortOf(e *Entry) int {
	switch {
	case e.Kind == Refused || e.Kind == Forged:
		return ofStrangers
	case e.LeadID == 0:
		return ofWhole
	default:
		return ofLead
	}
}

// kept are entries of a sort.
type kept struct {
	entries []Entry
	cut     bool // not all of them
}

// newest leaves the newest.
func (k *kept) newest(most int) {
	byTime(k.entries)
	if more := len(k.entries) - most; more > 0 {
		k.entries, k.cut = k.entries[more:], true
	}
}

// lookAll looks into segments, the newest first.
func lookAll(ctx context.Context, list []segment, q Query) []part {
	found := make([]part, len(list))
	var readers sync.WaitGroup
	var next atomic.Int64
	var counts [sortsOfEntries]atomic.Int64
	for range min(readersMost, len(list)) {
		readers.Go(func() {
			for i := len(list) - int(next.Add(1)); i >= 0 && ctx.Err() == nil; i = len(list) - int(next.Add(1)) {
				if endedBefore(list[i:], q.From) {
					continue
				}
				var enough [sortsOfEntries]bool
				for sort := range counts {
					enough[sort] = counts[sort].Load() >= int64(q.Most)
				}
				found[i] = look(list[i], q, mayGrow(list[i:]), enough)
				for sort := range counts {
					counts[sort].Add(int64(len(found[i].sorts[sort].entries)))
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
	sorts               [sortsOfEntries]kept
	damaged, unreadable int // 1 where it is
}

// take keeps an entry, unless later segments have enough of its sort.
func (p *part) take(e *Entry, most int, enough *[sortsOfEntries]bool) {
	sort := sortOf(e)
	k := &p.sorts[sort]
	switch {
	case enough[sort]:
		k.cut = true
		return
	case len(k.entries) >= 2*most:
		k.entries, k.cut = append(k.entries[:0], k.entries[most:]...), true
	}
	k.entries = append(k.entries, *e)
}

func look(s segment, q Query, growing bool, enough [sortsOfEntries]bool) (p part) {
	whole, member := true, hashOf(q.MemberID)
	keys := []uint64{key(member, q.LeadID), key(member, 0), key(hashOf(""), 0)}
	r, err := scan(s.path, keys, func(payload []byte) {
		err := search(payload, q, func(e Entry) { p.take(&e, q.Most, &enough) })
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
