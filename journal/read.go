package journal

import (
	"context"
	"fmt"
	"os"
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
}

// Record is what a journal has about a lead.
type Record struct {
	// Entries are about the lead, its portal as a whole, and every portal, in the order of time.
	Entries []Entry
	// Oldest is when the journal begins; zero where it is empty.
	Oldest time.Time
	// Damaged are segments of which a part cannot be read.
	Damaged int
}

// Look reads the journal of a directory, while it is written or not. A directory that does not
// exist is an empty journal.
func Look(ctx context.Context, dir string, q Query) (Record, error) {
	if q.To.IsZero() {
		q.To = time.Now().Add(24 * time.Hour) // clocks are set back
	}
	list, err := segments(dir)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if len(list) > 0 {
		r.Oldest = list[0].began
	}
	found := make([]part, len(list))
	var readers sync.WaitGroup
	next := atomic.Int64{}
	for range min(readersMost, len(list)) {
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if !endedBefore(list[i:], q.From) {
					found[i] = look(list[i], q)
				}
			}
		})
	}
	readers.Wait()
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	for _, p := range found {
		if p.err != nil {
			return r, fmt.Errorf("journal: %w", p.err)
		}
		if p.damaged {
			r.Damaged++
		}
		r.Entries = append(r.Entries, p.entries...)
	}
	slices.SortStableFunc(r.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return r, nil
}

// readersMost is how many segments are read at the same time.
const readersMost = 4

// part is what a segment has.
type part struct {
	entries []Entry
	damaged bool
	err     error
}

// endedBefore reports whether the first of these segments ended before a moment: its process
// began another one.
func endedBefore(list []segment, from time.Time) bool {
	return len(list) > 1 && list[0].mine && list[1].mine && list[1].began.Before(from)
}

func look(s segment, q Query) (p part) {
	data, err := os.ReadFile(s.path)
	if os.IsNotExist(err) {
		return p // it was too old
	}
	if err != nil {
		return part{err: err}
	}
	records(data, func(payload []byte) {
		p.damaged = search(payload, q, func(e Entry) { p.entries = append(p.entries, e) }) != nil || p.damaged
	})
	return p
}
