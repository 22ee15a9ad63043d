package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The spool's sizes where its Config says none, in bytes.
const (
	spoolLimit   = 1 << 30
	spoolSegment = 8 << 20
)

// ErrSpoolFull says that the spool has reached its limit: nothing more is taken.
var ErrSpoolFull = errors.New("the spool is full")

// errSpoolClosed says that the process is stopping.
var errSpoolClosed = errors.New("the spool is closed")

// SpoolConfig says where a spool is and how large it may grow.
type SpoolConfig struct {
	Dir     string
	Limit   int64 // bytes on disk at most; 0 is 1 GiB
	Segment int64 // bytes after which a new segment begins; 0 is 8 MiB
	// Create makes a segment's file; nil makes a real one.
	Create func(path string) (SegmentFile, error)
	Log    *slog.Logger
}

// Spool keeps entries on disk while their stream cannot be reached. What Append has
// returned nil for survives a kill or a power cut at any moment. It is safe for
// concurrent use; one process at a time may have it open.
type Spool struct {
	cfg     SpoolConfig
	arrived chan struct{} // there is something to drain

	mu       sync.Mutex
	segments []*segment // the oldest first
	file     SegmentFile
	nextSeq  uint64
	pending  *commit // takes records while another is being written
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

// SpoolStats says how much waits in a spool.
type SpoolStats struct {
	Entries int
	Bytes   int64     // on disk
	Limit   int64     // of Bytes
	Oldest  time.Time // when the oldest entry was taken; zero where none waits
}

// OpenSpool finds what an earlier process has left. A torn tail is reported and left
// out: nobody was told that it was stored.
func OpenSpool(cfg SpoolConfig) (*Spool, error) {
	if cfg.Limit == 0 {
		cfg.Limit = spoolLimit
	}
	if cfg.Segment == 0 {
		cfg.Segment = spoolSegment
	}
	if cfg.Create == nil {
		cfg.Create = createSegment
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool: %w", err)
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

// survey counts what a segment holds.
func (s *Spool) survey(seg *segment) error {
	file, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	seg.size, err = ReadRecords(file, func(payload []byte) error {
		var e Entry
		if json.Unmarshal(payload, &e) == nil && (seg.oldest.IsZero() || e.At.Before(seg.oldest)) {
			seg.oldest = e.At
		}
		seg.entries++
		return nil
	})
	if errors.Is(err, errTorn) {
		s.cfg.Log.Warn("the end of a spool segment is torn and left out", "segment", filepath.Base(seg.path), "error", err)
		err = nil
	}
	return err
}

// Append returns when the entry is on disk. Entries that come at the same time share one
// fsync. It returns ErrSpoolFull at the limit; with any error the entry may or may not
// be kept.
func (s *Spool) Append(ctx context.Context, e Entry) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if len(payload) > recordMax {
		return fmt.Errorf("spool: an entry of %d bytes is too long", len(payload))
	}
	c, err := s.join(payload, e.At)
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
		return nil, errSpoolClosed
	}
	waiting := 0
	if s.pending != nil {
		waiting = len(s.pending.data)
	}
	if s.bytes()+int64(waiting+recordHeader+len(payload)) > s.cfg.Limit {
		return nil, ErrSpoolFull
	}
	if s.pending == nil {
		s.pending = &commit{done: make(chan struct{}), oldest: at}
	}
	c := s.pending
	c.data = appendRecord(c.data, payload)
	c.entries++
	if !s.writing {
		s.writing = true
		s.writers.Go(s.write)
	}
	return c, nil
}

// write writes commits until none is pending.
func (s *Spool) write() {
	for {
		s.mu.Lock()
		c := s.pending
		s.pending = nil
		if c == nil {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if c.err = s.store(c); c.err != nil {
			s.cfg.Log.Error("spool segment failed, the next is tried", "error", c.err)
			c.err = s.store(c)
		}
		close(c.done)
		s.notify()
	}
}

// store writes one commit and syncs it. Where that fails the segment is closed and never
// written again: what a failed fsync has left of it nobody knows.
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
	seg.entries += c.entries
	return nil
}

// current is the segment to write to; a full one is closed and the next begun.
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
	if _, err := file.Write([]byte(segmentMagic)); err != nil { // nobody was told of it: leave no litter on a full disk
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	s.file = file
	seg := &segment{path: path, size: int64(len(segmentMagic)), done: int64(len(segmentMagic))}
	s.segments = append(s.segments, seg)
	return seg, nil
}

// Stats says what waits.
func (s *Spool) Stats() SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := SpoolStats{Bytes: s.bytes(), Limit: s.cfg.Limit}
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

func (s *Spool) bytes() int64 {
	var sum int64
	for _, seg := range s.segments {
		sum += seg.size
	}
	return sum
}

// Close waits for what is being written. Entries stay where they are.
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

// remove forgets a segment that is drained; it reports whether the segment could go.
func (s *Spool) remove(seg *segment) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg.done < seg.size {
		return false, nil // more has come
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
