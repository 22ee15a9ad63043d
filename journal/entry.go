package journal

import (
	"encoding/binary"
	"errors"
	"time"
)

// Kind is what an entry tells. The numbers are on disk: new kinds get new ones.
type Kind uint8

// The kinds of entries.
const (
	Received  Kind = 1  // a callback was stored as a notice
	Spooled   Kind = 2  // a callback was kept on disk, because NATS or the database did not answer
	Drained   Kind = 3  // a callback left the spool and became a notice
	Forged    Kind = 4  // a callback from the spool was not genuine
	Refused   Kind = 5  // callbacks were refused; Word is the reason, Count how many were since Since; of one lead, or LeadID is 0
	Lost      Kind = 6  // a callback could be kept nowhere, and was answered 500
	Read      Kind = 7  // a lead was read because of a notice
	Wrote     Kind = 8  // what became of a read; Word is the verdict
	Published Kind = 9  // a revision is on the topic
	Found     Kind = 10 // a pass found a difference; Word is its kind
	Failure   Kind = 11 // a lead could not be written and is tried again; Count is the attempts
	Parked    Kind = 12 // a lead was given up
	Replayed  Kind = 13 // a person had a dead letter read again
	Status    Kind = 14 // Word is the mirror's new state
	Outage    Kind = 15 // Word is the kind of an incident, which began at Since
	Troubled  Kind = 16 // a batch of notices could not be read or written and comes again
	Gap       Kind = 17 // the journal lost Count entries since Since
)

// Unverified is the word of a callback that had to be verified before anything came of it.
const Unverified = "unverified"

// Entry is one thing that happened. Which fields mean something depends on the kind.
type Entry struct {
	At       time.Time // to the millisecond
	Kind     Kind
	MemberID string // "" is every portal
	LeadID   int64  // 0 is the portal as a whole
	Word     string // one of few: a verdict, a state, a reason
	Event    string // Bitrix24's name of an event
	Cause    string // why the lead was read
	Text     string // only about a portal as a whole, and only by Plain
	Fields   []string
	Revision int64
	Sequence uint64 // of the notice or of the announcement, on its stream
	Ticket   int64
	Count    int64
	Since    time.Time     // an earlier moment: when the callback came, when an outage began
	Waited   time.Duration // for the portal's budget
	Took     time.Duration
}

// The parts of an entry that are only stored where they are not empty, by bit.
const (
	hasWord = 1 << iota
	hasEvent
	hasCause
	hasText
	hasFields
	hasRevision
	hasSequence
	hasTicket
	hasCount
	hasSince
	hasWaited
	hasTook
)

// block is entries that are written together. Texts, which repeat, are stored once in it.
type block struct {
	base    int64     // Unix milliseconds; times are stored relative to it
	began   time.Time // when its first entry was taken
	index   map[string]uint64
	texts   []byte
	entries []byte
	count   int64
	scratch []byte

	keys   []uint64 // of its leads, for the filter
	member string   // of the last entry, and
	hash   uint64   // its hash
}

func newBlock(at time.Time) *block {
	return &block{base: at.UnixMilli(), index: map[string]uint64{}, entries: make([]byte, 0, blockSize+1024)}
}

// text returns the number of a text in the block.
func (b *block) text(s string) uint64 {
	if n, ok := b.index[s]; ok {
		return n
	}
	n := uint64(len(b.index))
	b.index[s] = n
	b.texts = binary.AppendUvarint(b.texts, uint64(len(s)))
	b.texts = append(b.texts, s...)
	return n
}

// full says that the block is to be written: texts count, too, because a stranger may choose them.
func (b *block) full() bool { return len(b.entries)+len(b.texts) >= blockSize }

// add appends an entry: its length, then what a search looks at, then the rest.
func (b *block) add(e *Entry) {
	p := b.scratch[:0]
	p = append(p, byte(e.Kind))
	p = binary.AppendUvarint(p, b.text(e.MemberID))
	p = binary.AppendUvarint(p, uint64(e.LeadID)) //nolint:gosec // ids are positive
	p = binary.AppendVarint(p, e.At.UnixMilli()-b.base)
	p = binary.AppendUvarint(p, mask(e))
	for _, s := range [...]string{e.Word, e.Event, e.Cause, e.Text} {
		if s != "" {
			p = binary.AppendUvarint(p, b.text(s))
		}
	}
	if len(e.Fields) > 0 {
		p = binary.AppendUvarint(p, uint64(len(e.Fields)))
		for _, f := range e.Fields {
			p = binary.AppendUvarint(p, b.text(f))
		}
	}
	if !e.Since.IsZero() {
		p = binary.AppendVarint(p, e.Since.UnixMilli()-b.base)
	}
	for _, n := range [...]struct {
		there bool
		value int64
	}{
		{e.Revision != 0, e.Revision},
		{e.Sequence != 0, int64(e.Sequence)}, //nolint:gosec // a stream's sequences stay far below
		{e.Ticket != 0, e.Ticket},
		{e.Count != 0, e.Count},
		{e.Waited != 0, int64(e.Waited / time.Microsecond)},
		{e.Took != 0, int64(e.Took / time.Microsecond)},
	} {
		if n.there {
			p = binary.AppendVarint(p, n.value)
		}
	}
	b.scratch = p
	b.entries = binary.AppendUvarint(b.entries, uint64(len(p)))
	b.entries = append(b.entries, p...)
	b.count++
	b.note(e)
}

// note has the filter of the block know an entry's lead.
func (b *block) note(e *Entry) {
	if b.keys == nil || e.MemberID != b.member {
		b.member, b.hash = e.MemberID, hashOf(e.MemberID)
	}
	if k := key(b.hash, e.LeadID); len(b.keys) == 0 || b.keys[len(b.keys)-1] != k {
		b.keys = append(b.keys, k)
	}
}

func mask(e *Entry) (m uint64) {
	for i, there := range [...]bool{
		e.Word != "", e.Event != "", e.Cause != "", e.Text != "", len(e.Fields) > 0, e.Revision != 0, e.Sequence != 0, e.Ticket != 0,
		e.Count != 0, !e.Since.IsZero(), e.Waited != 0, e.Took != 0,
	} {
		if there {
			m |= 1 << i
		}
	}
	return m
}

// payload is the block as it is stored, behind its filter.
func (b *block) payload() []byte {
	p := binary.AppendVarint(nil, b.base)
	p = binary.AppendUvarint(p, uint64(len(b.index)))
	p = append(p, b.texts...)
	return append(p, b.entries...)
}

// errDamaged says that a block is not what payload wrote.
var errDamaged = errors.New("the block is damaged")

// cursor reads what a block has; after the first fault everything is zero.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) unsigned() uint64 {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.rest, c.bad = nil, true
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) signed() int64 {
	n, size := binary.Varint(c.rest)
	if size <= 0 {
		c.rest, c.bad = nil, true
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.rest, c.bad = nil, true
		return nil
	}
	head := c.rest[:n]
	c.rest = c.rest[n:]
	return head
}

// search calls each for the entries of a block that are about a lead, about the portal as a
// whole, or about every portal.
func search(payload []byte, q Query, each func(Entry)) error {
	c := cursor{rest: payload}
	base := c.signed()
	texts := make([][]byte, 0, 32)
	for n := c.unsigned(); n > 0 && !c.bad; n-- {
		texts = append(texts, c.bytes(c.unsigned()))
	}
	portal, all := uint64(len(texts)), uint64(len(texts)) // no text has these numbers
	for i, t := range texts {
		switch string(t) {
		case q.MemberID:
			portal = uint64(i)
		case "":
			all = uint64(i)
		}
	}
	for len(c.rest) > 0 && !c.bad {
		e := cursor{rest: c.bytes(c.unsigned())}
		if len(e.rest) == 0 {
			break
		}
		kind := Kind(e.rest[0])
		e.rest = e.rest[1:]
		member, lead := e.unsigned(), e.unsigned()
		if lead != 0 && lead != uint64(q.LeadID) || member != portal && member != all || e.bad { //nolint:gosec // ids are positive
			continue
		}
		entry := Entry{Kind: kind, LeadID: int64(lead)} //nolint:gosec // as it was written
		if member == portal {
			entry.MemberID = q.MemberID
		}
		if e.decode(&entry, base, texts); e.bad {
			return errDamaged
		}
		if !entry.At.Before(q.From) && !entry.At.After(q.To) {
			each(entry)
		}
	}
	if c.bad {
		return errDamaged
	}
	return nil
}

// decode reads the rest of an entry.
func (c *cursor) decode(e *Entry, base int64, texts [][]byte) {
	text := func() string {
		n := c.unsigned()
		if n >= uint64(len(texts)) {
			c.bad = true
			return ""
		}
		return string(texts[n])
	}
	e.At = time.UnixMilli(base + c.signed()).UTC()
	has := c.unsigned()
	for _, s := range [...]struct {
		bit uint64
		to  *string
	}{{hasWord, &e.Word}, {hasEvent, &e.Event}, {hasCause, &e.Cause}, {hasText, &e.Text}} {
		if has&s.bit != 0 {
			*s.to = text()
		}
	}
	if has&hasFields != 0 {
		for n := c.unsigned(); n > 0 && !c.bad; n-- {
			e.Fields = append(e.Fields, text())
		}
	}
	if has&hasSince != 0 {
		e.Since = time.UnixMilli(base + c.signed()).UTC()
	}
	number := func(bit uint64) int64 {
		if has&bit == 0 {
			return 0
		}
		return c.signed()
	}
	e.Revision = number(hasRevision)
	e.Sequence = uint64(number(hasSequence)) //nolint:gosec // as it was written
	e.Ticket = number(hasTicket)
	e.Count = number(hasCount)
	e.Waited = time.Duration(number(hasWaited)) * time.Microsecond
	e.Took = time.Duration(number(hasTook)) * time.Microsecond
}
