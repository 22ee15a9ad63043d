package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"leadsync/retry"
)

const (
	drainPause = 500 * time.Millisecond // after a failure
	idleLimit  = time.Minute            // Run looks into the spool at least that often
)

// Run hands every entry to deliver, the oldest first, until the context ends. When deliver
// fails, Run tries the same entry again later and nothing behind it. After a kill it
// delivers a segment from its start again: entries may arrive twice.
func (s *Spool) Run(ctx context.Context, deliver func(context.Context, []byte) error) error {
	for ctx.Err() == nil {
		count, err := s.Drain(ctx, deliver)
		if count > 0 {
			s.cfg.Log.InfoContext(ctx, "spool drained", "spool", filepath.Base(s.cfg.Dir), "entries", count, "left", s.Stats().Entries)
		}
		if err == nil {
			s.waitForEntries(ctx)
			continue
		}
		if ctx.Err() == nil {
			s.cfg.Log.DebugContext(ctx, "spool cannot deliver, trying again", "spool", filepath.Base(s.cfg.Dir), "error", err, "pause", drainPause)
		}
		_ = retry.Wait(ctx, drainPause) // the loop sees the end of the context
	}
	return nil
}

// waitForEntries returns when entries have arrived, after idleLimit, or with the context.
func (s *Spool) waitForEntries(ctx context.Context) {
	timer := time.NewTimer(idleLimit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.arrived:
	}
}

// Drain hands over what is there now and returns how many entries it delivered.
func (s *Spool) Drain(ctx context.Context, deliver func(context.Context, []byte) error) (int, error) {
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
			return total, nil // it is being written; the writer wakes Run again
		}
	}
}

// drainSegment delivers the records between two offsets.
func (s *Spool) drainSegment(ctx context.Context, seg *segment, from, to int64, deliver func(context.Context, []byte) error) (count int, err error) {
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
		if err := ctx.Err(); err != nil {
			return count, err
		}
		if err := deliver(ctx, payload); err != nil {
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

// skip gives up the rest of a segment. It was whole when it was written, so the disk has
// lost it, and the entries behind it must not wait for ever.
func (s *Spool) skip(seg *segment, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.done, seg.drained = to, seg.entries
}
