package journal

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// notices are what is known of the notices of a lead, by number.
type notices struct {
	stored []notice // callbacks that became notices
	read   []notice
	number map[*Entry]number
}

// notice is when one was stored, or read.
type notice struct {
	number
	at, came time.Time // came is that of its entry
}

// number is a notice's sequence. Sequences rise; those of a stream that was made anew begin again,
// and are another series.
type number struct {
	series   int
	sequence uint64
}

func (n number) compare(other number) int {
	return cmp.Or(cmp.Compare(n.series, other.series), cmp.Compare(n.sequence, other.sequence))
}

// overlap is how long after a notice an earlier one of its stream may still be stored or read.
const overlap = time.Minute

// noticesOf finds the notices in the entries of a lead.
func noticesOf(entries []Entry) notices {
	n := notices{number: map[*Entry]number{}}
	var about []*Entry
	for i := range entries {
		e := &entries[i]
		if e.LeadID != 0 && e.Sequence != 0 && (e.Kind == Received || e.Kind == Drained || e.Kind == Read) {
			about = append(about, e)
		}
	}
	slices.SortStableFunc(about, func(a, b *Entry) int { return a.numberedAt().Compare(b.numberedAt()) })
	var last notice // the highest of the series
	here := map[uint64]bool{}
	for _, e := range about {
		at := e.numberedAt()
		if e.Sequence < last.sequence && at.Sub(last.at) > overlap && (e.Kind != Read || !here[e.Sequence]) {
			last, here = notice{number: number{series: last.series + 1}}, map[uint64]bool{}
		}
		one := notice{number{last.series, e.Sequence}, at, e.At}
		if e.Sequence > last.sequence {
			last = one
		}
		if n.number[e] = one.number; e.Kind == Read {
			n.read = append(n.read, one)
		} else {
			n.stored, here[e.Sequence] = append(n.stored, one), true
		}
	}
	for _, list := range [][]notice{n.stored, n.read} {
		slices.SortFunc(list, func(a, b notice) int { return a.compare(b.number) })
	}
	return n
}

// numberedAt is when a notice had got its sequence, or was read.
func (e *Entry) numberedAt() time.Time {
	if e.Kind == Received {
		return e.At.Add(e.Took)
	}
	return e.At
}

// fate says what became of a notice: the stream keeps the last one of a lead.
func (n notices) fate(e *Entry) string {
	number, at := n.number[e], e.numberedAt()
	later := func(other notice) bool {
		return other.series == number.series && other.sequence > number.sequence && !other.at.Before(at)
	}
	if slices.ContainsFunc(n.read, func(read notice) bool { return read.number == number }) {
		return ""
	}
	if i := slices.IndexFunc(n.stored, later); i >= 0 {
		by := n.stored[i]
		return fmt.Sprintf("; it was not read yet when notice %d of %s replaced it: one read serves both", by.sequence, by.came.UTC().Format("15:04:05.000"))
	}
	if i := slices.IndexFunc(n.read, later); i >= 0 {
		return fmt.Sprintf("; it was not read yet when notice %d replaced it: one read serves both", n.read[i].sequence)
	}
	return "; the journal knows of no read yet"
}

// waiting is when the last event came that was not read; zero where there is none.
func (n notices) waiting() time.Time {
	if len(n.stored) == 0 {
		return time.Time{}
	}
	last := n.stored[len(n.stored)-1]
	if slices.ContainsFunc(n.read, func(read notice) bool { return read.compare(last.number) >= 0 }) {
		return time.Time{}
	}
	return last.came
}
