package owner

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// When the portal's own queue of events is read.
const (
	// firstDrain is how long after a portal became ours: callbacks that wait are read
	// first, and need not be read twice.
	firstDrain = 20 * time.Second
	drainEvery = time.Minute
	// signalDelay is how long after the portal's signal: by then most callbacks have come.
	signalDelay = 10 * time.Second
	// checkQueue is how often the owner looks whether a drain is due.
	checkQueue = time.Second
)

// queue is the portal's own queue of events (docs/bitrix24.md 2.6), as the owner drains it.
type queue struct {
	s       *Session
	drainer Drainer

	signalled atomic.Bool // the portal says that there is something in it
	opened    atomic.Bool
	// Of drain alone:
	unusable bool // the portal does not let us; asked again when the events are bound again
	at       time.Time
	signalAt time.Time
	drained  time.Time // when it was drained last
	reported bool      // that it is not used
}

func newQueue(s *Session) *queue {
	return &queue{s: s, at: time.Now().Add(s.cfg.scaled(firstDrain))}
}

// drain empties the queue, when that is due.
func (q *queue) drain(ctx context.Context) error {
	switch {
	case q.s.cfg.Keep == nil: // a command that works alone
		return nil
	case q.s.tokens == nil:
		q.report(ctx, "a webhook may not read it")
		return nil
	case !q.due(time.Now()):
		return nil
	}
	if !q.opened.Load() {
		if err := q.open(ctx); err != nil {
			return err
		}
	}
	if !q.unusable {
		if err := q.empty(ctx); err != nil {
			return err
		}
	}
	q.at = time.Now().Add(q.s.cfg.scaled(drainEvery))
	return nil
}

// empty drains and raises the alarm where callbacks did not come.
func (q *queue) empty(ctx context.Context) error {
	q.reachable()
	silent, since := q.drainer.Silent.Load(), q.drained
	if err := q.acceptRefusal(ctx, q.drainer.Drain(ctx)); err != nil {
		return err
	}
	q.drained = time.Now()
	if silent = q.drainer.Silent.Load() - silent; silent >= silentChanges {
		return q.s.silence.raise(ctx, silent, since)
	}
	return nil
}

// reachable keeps since when we are reachable: what was changed before the last silence ended
// belongs to that silence.
func (q *queue) reachable() {
	now, ended := q.s.cfg.now(), q.s.silence.ended()
	if ended.After(q.drainer.Since) && !ended.After(now) {
		q.drainer.Since = ended
	}
	if q.drainer.Since.After(now) { // the clock was set back
		q.drainer.Since = now
	}
}

// acceptRefusal takes the portal's refusal for an answer; other errors are returned.
func (q *queue) acceptRefusal(ctx context.Context, err error) error {
	if !errors.Is(err, leads.ErrRefused) {
		return err
	}
	q.unusable = true
	q.report(ctx, err.Error())
	return nil
}

// due tells whether it is time: by the timer, or a while after the portal's signal.
func (q *queue) due(now time.Time) bool {
	if q.signalled.Load() && q.signalAt.IsZero() {
		q.signalAt = now.Add(q.s.cfg.scaled(signalDelay))
	}
	if now.Before(q.at) && (q.signalAt.IsZero() || now.Before(q.signalAt)) {
		return false
	}
	q.signalled.Store(false)
	q.signalAt = time.Time{}
	return true
}

// open binds the events to the queue, and learns how it can be read.
func (q *queue) open(ctx context.Context) error {
	s := q.s
	q.unusable = false
	err := s.bindings.bindOffline(ctx)
	if errors.Is(err, leads.ErrRefused) {
		q.opened.Store(true)
		return q.acceptRefusal(ctx, err)
	}
	if err != nil {
		return err
	}
	portal, err := s.client.In(bitrix24.Operator).Events().OfflineQueue(ctx)
	if err != nil {
		return err
	}
	if !portal.Reserves() {
		s.cfg.Log.WarnContext(ctx, "the plan cannot reserve offline events: only reconciliation finds what is lost on the way from the portal's queue",
			"member_id", s.memberID())
	}
	q.drained = time.Now()
	q.drainer.Queue = portal
	if q.drainer.Since.IsZero() {
		q.drainer.Since = s.cfg.now()
	}
	q.drainer.Store, q.drainer.Now, q.drainer.Log, q.drainer.MinAge = q.store, s.cfg.now, s.cfg.Log, s.cfg.MinAge
	q.drainer.Heard = func(ctx context.Context, ids []int64) (map[int64]time.Time, error) {
		return lastCallbacks(ctx, s.cfg, s.memberID(), ids)
	}
	q.opened.Store(true)
	return nil
}

// reopen has the bindings looked at again before the next drain.
func (q *queue) reopen() { q.opened.Store(false) }

// store keeps notices as callbacks are kept: on the stream, or in the spool.
func (q *queue) store(ctx context.Context, list []leads.OfflineEvent) error {
	q.s.health.begin(PartOfflineQueue) // the portal has answered
	for _, e := range list {
		entry, err := events.NoticeEntry(events.Notice{
			Ref:   leads.Ref{MemberID: q.s.memberID(), LeadID: e.LeadID},
			Event: e.Event, Cause: leads.CauseOffline, SentAt: sentAt(e.At), ReceivedAt: q.s.cfg.now().UTC(),
		})
		if err != nil {
			return err
		}
		if err := q.s.cfg.Keep(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// report says once that the queue is not used.
func (q *queue) report(ctx context.Context, why string) {
	if q.reported {
		return
	}
	q.reported = true
	q.s.cfg.Log.InfoContext(ctx, "the portal's own queue of events is not used", "member_id", q.s.memberID(), "reason", why)
}

// sentAt is a time in Unix seconds, 0 where it is not known.
func sentAt(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
