// Package spool keeps entries on disk while the stream they are meant for cannot take
// them. An entry is a payload of bytes; the package must not know what is in it, nor NATS.
package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Sizes that Config leaves at 0, in bytes.
const (
	defaultLimit   = 1 << 30
	defaultSegment = 8 << 20
)

// ErrFull says that the spool has reached its limit and did not take the entry.
var ErrFull = errors.New("the spool is full")

// errClosed says that the process is stopping.
var errClosed = errors.New("the spool is closed")

// Config says where a spool is and how large it may grow.
type Config struct {
	Dir     string
	Limit   int64 // bytes that may wait; 0 is 1 GiB. The disk holds up to a segment more
	Segment int64 // bytes after which a new segment begins; 0 is 8 MiB
	// Create makes a segment's file; nil makes a real one.
	Create func(path string) (SegmentFile, error)
	// TakenAt reads from a payload when the entry was taken; the zero time where it cannot.
	// It is asked for the entries that an earlier process left.
	TakenAt func(payload []byte) time.Time
	Log     *slog.Logger
}

// Spool keeps entries on disk. Once Append has returned nil, the entry survives a kill or
// a power cut at any moment. It is safe for concurrent use; one process at a time may have
// it open.
type Spool struct {
	cfg     Config
	arrived chan struct{} // wakes Run: there is something to drain

	mu       sync.Mutex
	segments []*segment // the oldest first
	file     SegmentFile
	nextSeq  uint64
	pending  *commit // takes records while another is being written
	unsynced int64   // bytes that Append was asked to keep and that are in no segment yet
	writing  bool
	closed   bool
	writers  sync.WaitGroup

	drain sync.Mutex // one drains at a time
}

// segment is one file as far as it is on disk.
type segment struct {
	path    string
	size    int64     // bytes that were synced
	entries int       // in them
	oldest  time.Time // of its entries
	done    int64     // bytes that were drained
	drained int       // entries in those
}

// commit is a group of records that share one write and one fsync.
type commit struct {
	data    []byte
	entries int
	oldest  time.Time
	done    chan struct{}
	err     error
}

// Stats says how much waits in a spool.
type Stats struct {
	Entries int
	Bytes   int64     // of them, those being written included
	Limit   int64     // of Bytes
	Oldest  time.Time // when the oldest entry was taken; zero in an empty spool
}

// Open finds the entries that an earlier process left. It logs a torn tail and skips it:
// Append had not returned for those entries.
func Open(cfg Config) (*Spool, error) {
	if cfg.Limit == 0 {
		cfg.Limit = defaultLimit
	}
	if cfg.Segment == 0 {
		cfg.Segment = defaultSegment
	}
	if cfg.Create == nil {
		cfg.Create = createSegment
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the spool: %w", err)
	}
	s := &Spool{cfg: cfg, arrived: make(chan struct{}, 1), nextSeq: 1}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	return s, nil
}

// recover looks at every segment, in order.
func (s *Spool) recover() error {
	names, err := os.ReadDir(s.cfg.Dir) // sorted
	if err != nil {
		return err
	}
	for _, name := range names {
		seq, ok := segmentSeq(name.Name())
		if !ok {
			continue
		}
		s.nextSeq = seq + 1
		seg := &segment{path: filepath.Join(s.cfg.Dir, name.Name()), done: int64(len(segmentMagic))}
		if err := s.survey(seg); err != nil {
			return err
		}
		s.segments = append(s.segments, seg)
	}
	if len(s.segments) > 0 {
		s.notify()
	}
	return nil
}

// survey counts the entries of a segment.
func (s *Spool) survey(seg *segment) error {
	file, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	seg.size, err = ReadRecords(file, func(payload []byte) error {
		at := s.cfg.TakenAt(payload)
		if !at.IsZero() && (seg.oldest.IsZero() || at.Before(seg.oldest)) {
			seg.oldest = at
		}
		seg.entries++
		return nil
	})
	if errors.Is(err, errTorn) {
		s.cfg.Log.Warn("the end of a spool segment is torn and is skipped", "segment", filepath.Base(seg.path), "error", err)
		err = nil
	}
	return err
}

// Append returns when the entry, taken at the time at, is on disk. Entries that come at
// the same time share one fsync. It returns ErrFull at the limit; with any other error the
// entry may or may not be kept.
func (s *Spool) Append(ctx context.Context, payload []byte, at time.Time) error {
	if len(payload) > recordMax {
		return fmt.Errorf("spool: an entry has %d bytes, want at most %d", len(payload), recordMax)
	}
	c, err := s.join(payload, at)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("spool: %w", ctx.Err())
	}
}

// join adds a record to the commit that is written next.
func (s *Spool) join(payload []byte, at time.Time) (*commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	length := int64(recordHeader + len(payload))
	if s.bytes()+length > s.cfg.Limit {
		return nil, ErrFull
	}
	if s.pending == nil {
		s.pending = &commit{done: make(chan struct{}), oldest: at}
	}
	c := s.pending
	c.data = appendRecord(c.data, payload)
	c.entries++
	s.unsynced += length
	if !s.writing {
		s.writing = true
		s.writers.Go(s.write)
	}
	return c, nil
}

// write writes commits until none is pending.
func (s *Spool) write() {
	for more := true; more; {
		s.mu.Lock()
		c := s.pending
		s.pending = nil
		s.mu.Unlock()
		if c.err = s.store(c); c.err != nil {
			s.cfg.Log.Error("spool segment failed, trying the next one", "error", c.err)
			c.err = s.store(c)
		}
		more = s.finish(c)
		close(c.done)
		s.notify()
	}
}

// finish reports whether another commit is pending. Where none is, the writer is done
// with its segment before Append returns, so that the segment can be removed as soon as it
// is drained.
func (s *Spool) finish(c *commit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.err != nil {
		s.unsynced -= int64(len(c.data))
	}
	s.writing = s.pending != nil
	return s.writing
}

// store writes one commit and syncs it. If that fails, the segment is closed and never
// written again, because nobody knows what a failed fsync left in it.
func (s *Spool) store(c *commit) error {
	seg, err := s.current(int64(len(c.data)))
	if err != nil {
		return fmt.Errorf("spool: new segment: %w", err)
	}
	_, err = s.file.Write(c.data)
	if err == nil {
		err = s.file.Sync()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
		return fmt.Errorf("spool: %w", err)
	}
	if seg.entries == 0 {
		seg.oldest = c.oldest
	}
	seg.size += int64(len(c.data))
	s.unsynced -= int64(len(c.data))
	seg.entries += c.entries
	return nil
}

// current returns the segment to write to. It closes a full one and begins the next.
func (s *Spool) current(room int64) (*segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		last := s.segments[len(s.segments)-1]
		if last.size+room <= s.cfg.Segment {
			return last, nil
		}
		file := s.file
		s.file = nil
		if err := file.Close(); err != nil {
			s.cfg.Log.Warn("spool segment not closed", "error", err) // all of it is synced
		}
	}
	path := filepath.Join(s.cfg.Dir, segmentName(s.nextSeq))
	s.nextSeq++
	file, err := s.cfg.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write([]byte(segmentMagic)); err != nil { // holds no entry yet: do not leave it on a full disk
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	s.file = file
	seg := &segment{path: path, size: int64(len(segmentMagic)), done: int64(len(segmentMagic))}
	s.segments = append(s.segments, seg)
	return seg, nil
}

// Stats says what waits.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Bytes: s.bytes(), Limit: s.cfg.Limit}
	for _, seg := range s.segments {
		if waiting := seg.entries - seg.drained; waiting > 0 {
			stats.Entries += waiting
			if stats.Oldest.IsZero() {
				stats.Oldest = seg.oldest
			}
		}
	}
	return stats
}

// bytes is how many wait. Drained ones do not, though a segment that is written to keeps
// them on disk.
func (s *Spool) bytes() int64 {
	sum := s.unsynced
	for _, seg := range s.segments {
		sum += max(0, seg.size-seg.done) // one whose head was never written is shorter than its head
	}
	return sum
}

// Close waits until what is being written is on disk. Entries stay where they are.
func (s *Spool) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.writers.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}

func (s *Spool) notify() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// remove deletes a drained segment, and reports whether it could.
func (s *Spool) remove(seg *segment) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg.done < seg.size {
		return false, nil // more has arrived
	}
	last := len(s.segments) > 0 && s.segments[len(s.segments)-1] == seg
	if last && s.file != nil {
		if s.writing {
			return false, nil
		}
		file := s.file
		s.file = nil
		if err := file.Close(); err != nil {
			return false, err
		}
	}
	if err := os.Remove(seg.path); err != nil {
		return false, err
	}
	s.segments = slices.DeleteFunc(s.segments, func(other *segment) bool { return other == seg })
	return true, nil
}
