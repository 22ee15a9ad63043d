package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// drainPause is how long the drain waits after a failure.
const drainPause = 500 * time.Millisecond

// Run hands every entry to deliver, the oldest first, until the context ends. Where
// deliver fails, the same entry is tried again later and nothing behind it is. After a
// kill a segment is delivered from its start again: entries are hints, which may come
// twice.
func (s *Spool) Run(ctx context.Context, deliver func(context.Context, Entry) error) error {
	for ctx.Err() == nil {
		count, err := s.Drain(ctx, deliver)
		if count > 0 {
			s.cfg.Log.InfoContext(ctx, "spool drained", "spool", filepath.Base(s.cfg.Dir), "entries", count, "left", s.Stats().Entries)
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.DebugContext(ctx, "spool waits", "spool", filepath.Base(s.cfg.Dir), "error", err)
			s.wait(ctx, drainPause, nil)
			continue
		}
		s.wait(ctx, time.Minute, s.arrived)
	}
	return nil
}

func (s *Spool) wait(ctx context.Context, d time.Duration, rung <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-rung:
	}
}

// Drain hands over what is there now and returns how many entries it delivered.
func (s *Spool) Drain(ctx context.Context, deliver func(context.Context, Entry) error) (int, error) {
	s.drain.Lock()
	defer s.drain.Unlock()
	total := 0
	for {
		s.mu.Lock()
		if len(s.segments) == 0 {
			s.mu.Unlock()
			return total, nil
		}
		seg := s.segments[0]
		from, to := seg.done, seg.size
		s.mu.Unlock()
		count, err := s.drainSegment(ctx, seg, from, to, deliver)
		total += count
		if err != nil {
			return total, err
		}
		gone, err := s.remove(seg)
		if err != nil {
			return total, fmt.Errorf("remove a drained spool segment: %w", err)
		}
		if !gone && count == 0 {
			return total, nil // it is being written: whoever writes rings again
		}
	}
}

// drainSegment delivers the records between two offsets.
func (s *Spool) drainSegment(ctx context.Context, seg *segment, from, to int64, deliver func(context.Context, Entry) error) (count int, err error) {
	if from >= to {
		return 0, nil
	}
	file, err := os.Open(seg.path)
	if err != nil {
		return 0, fmt.Errorf("read the spool: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	in := io.NewSectionReader(file, from, to-from)
	for done := from; done < to; {
		payload, err := readRecord(in)
		if errors.Is(err, errTorn) {
			s.cfg.Log.ErrorContext(ctx, "spool segment is damaged: callbacks are lost", "segment", filepath.Base(seg.path), "lost_bytes", to-done, "error", err)
			s.skip(seg, to)
			return count, nil
		}
		if err != nil {
			return count, fmt.Errorf("read the spool: %s after %d bytes: %w", filepath.Base(seg.path), done, err)
		}
		if err := s.deliver(ctx, payload, deliver); err != nil {
			return count, err
		}
		count++
		done += int64(recordHeader + len(payload))
		s.mu.Lock()
		seg.done = done
		seg.drained++
		s.mu.Unlock()
	}
	return count, nil
}

// skip gives up the rest of a segment: it was whole when it was written, so the disk has
// lost it, and what is behind it must not wait for ever.
func (s *Spool) skip(seg *segment, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.done, seg.drained = to, seg.entries
}

func (s *Spool) deliver(ctx context.Context, payload []byte, deliver func(context.Context, Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var e Entry
	if err := json.Unmarshal(payload, &e); err != nil || e.Subject == "" {
		s.cfg.Log.ErrorContext(ctx, "spool holds a record that is none of ours, it is dropped", "error", errors.Join(ErrMessage, err))
		return nil
	}
	return deliver(ctx, e)
}
