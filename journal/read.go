package journal

import (
	"context"
	"fmt"
	"os"
	"slices"
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
	for i, s := range list {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if r.Oldest.IsZero() {
			r.Oldest = s.began
		}
		if i+1 < len(list) && list[i+1].mine && list[i+1].began.Before(q.From) && s.mine { // it ended before the next began
			continue
		}
		data, err := os.ReadFile(s.path)
		if os.IsNotExist(err) {
			continue // it was too old
		}
		if err != nil {
			return r, fmt.Errorf("journal: %w", err)
		}
		damaged := false
		records(data, func(payload []byte) {
			damaged = search(payload, q, func(e Entry) { r.Entries = append(r.Entries, e) }) != nil || damaged
		})
		if damaged {
			r.Damaged++
		}
	}
	slices.SortStableFunc(r.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return r, nil
}
