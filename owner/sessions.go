package owner

import (
	"maps"
	"slices"
	"sync"
	"time"

	"leadsync/bitrix24"
)

// Status is how a portal of this process stands, for metrics and readiness.
type Status struct {
	MemberID string
	Domain   string
	Client   bitrix24.ClientState
	Epoch    int64 // of this owner
	Passes   int64 // that this owner has ended
	Queued   int64 // events of the portal's own queue that were stored, since the process owns it
	Missed   int64 // those without a callback
	// Unreachable says why Bitrix24 may not reach us; "" if there is no sign of that.
	Unreachable string
	SimpleCRM   bool      // the portal has no leads
	Held        int64     // leads whose deletion the breaker holds back
	Problems    []Problem // parts of the work that fail or take too long, the oldest first
	// Waiting is since when the oldest notice of a lead waits to be read; zero where none does.
	Waiting time.Time
}

// status is the session's own.
func (s *Session) status() Status {
	return Status{
		MemberID: s.memberID(), Domain: s.own.Portal.Domain, Client: s.client.State(), Epoch: s.own.Epoch, Passes: s.passes.ended.Load(),
		Queued: s.queue.drainer.Taken.Load(), Missed: s.queue.drainer.Lost.Load(), Unreachable: s.unreachable(),
		SimpleCRM: s.simpleCRM.Load(), Held: s.held.Load(), Problems: s.problems(), Waiting: s.health.oldest(),
	}
}

// problems are the parts of the work that fail.
func (s *Session) problems() []Problem { return s.health.problems() }

// unreachable says why Bitrix24 may not reach us; "" if there is no sign of that.
func (s *Session) unreachable() string {
	if problem := s.heartbeat.problem(); problem != "" {
		return problem
	}
	return s.silence.problem()
}

// heard ends the alarms when a callback comes: it proves that Bitrix24 reaches us.
func (s *Session) heard(receivedAt time.Time) {
	s.silence.heard(receivedAt)
	s.heartbeat.heard(receivedAt)
}

// sessions are the portals that this process owns at the moment.
type sessions struct {
	mu  sync.Mutex
	all map[string]*Session // by member_id
}

func (l *sessions) add(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]*Session{}
	}
	l.all[s.memberID()] = s
}

// remove forgets a session, unless another of the same portal was opened meanwhile.
func (l *sessions) remove(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[s.memberID()] == s {
		delete(l.all, s.memberID())
	}
}

// find returns the session of a portal; nil where this process does not own it.
func (l *sessions) find(memberID string) *Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[memberID]
}

func (l *sessions) list() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.all))
}
