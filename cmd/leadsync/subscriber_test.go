package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// subscriber reads the topic and is itself restarted all the time.
type subscriber struct {
	stop     func()
	sessions atomic.Int64

	mu          sync.Mutex
	seqs        map[string]uint64 // the message in which a ce-id came first
	last        map[int64]received
	repeated    map[uint64]bool
	replicated  bool // a new session may read from a server that is behind the last one's
	behind      int  // messages that were older than what an earlier session has read, where replicated
	regressions []string
	number      int
}

type received struct {
	seq      uint64
	revision int64
	kind     leads.ChangeKind
	session  int64
}

func (h *harness) subscribe() *subscriber {
	h.t.Helper()
	s := &subscriber{seqs: map[string]uint64{}, last: map[int64]received{}, repeated: map[uint64]bool{}}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			session, end := context.WithTimeout(ctx, 3*time.Second)
			s.sessions.Add(1)
			_ = h.readTopic(session, s) // NATS may be down: the next session reads it all
			end()
			_ = retry.Wait(ctx, 50*time.Millisecond)
		}
	}()
	s.stop = func() { cancel(); <-done }
	h.t.Cleanup(s.stop)
	return s
}

func (h *harness) readTopic(ctx context.Context, s *subscriber) error {
	nc, err := events.Connect(events.Server{URL: h.natsAt, Token: h.natsToken})
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err != nil {
		return err
	}
	return events.Subscribe(ctx, bus, "", true, s.receive)
}

func (s *subscriber) receive(msg jetstream.Msg) {
	c, err := events.ParseChange(msg)
	meta, metaErr := msg.Metadata()
	if errors.Join(err, metaErr) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	id, seq := msg.Headers().Get("ce-id"), meta.Sequence.Stream
	if first, ok := s.seqs[id]; ok && first != seq {
		s.repeated[seq] = true
	} else {
		s.seqs[id] = seq
	}
	before, session := s.last[c.LeadID], s.sessions.Load()
	switch {
	case s.replicated && seq < before.seq && session != before.session:
		s.behind++
	case seq > before.seq && c.Revision <= before.revision && !s.repeated[seq], seq < before.seq:
		s.regressions = append(s.regressions, fmt.Sprintf("lead %d: revision %d (message %d) came after %d (message %d)", c.LeadID, c.Revision, seq, before.revision, before.seq))
	case seq > before.seq:
		s.last[c.LeadID] = received{seq, c.Revision, c.Kind, session}
	}
}

func (s *subscriber) revision(id int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id].revision
}

func (s *subscriber) deleted(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id].kind == leads.RemovedKind
}

func (s *subscriber) duplicates() int      { s.mu.Lock(); defer s.mu.Unlock(); return len(s.repeated) }
func (s *subscriber) count() int           { s.mu.Lock(); defer s.mu.Unlock(); return s.number }
func (s *subscriber) wrongOrder() []string { s.mu.Lock(); defer s.mu.Unlock(); return s.regressions }

// setReplicated says that the topic is on several servers, of which one may be behind.
func (s *subscriber) setReplicated()       { s.mu.Lock(); defer s.mu.Unlock(); s.replicated = true }
func (s *subscriber) olderThanBefore() int { s.mu.Lock(); defer s.mu.Unlock(); return s.behind }
