package owner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// A test event of the portal's proves that its callbacks reach us.
const (
	testEvery = time.Hour
	// testAnswer is how long one may take; the portal's queue may be a few seconds late.
	testAnswer = time.Minute
	// testTries is how many in a row must be lost before that is an alarm: Bitrix24 sends
	// each only once.
	testTries = 3
)

// heartbeat is what test events say of the way from the portal to us.
type heartbeat struct {
	s *Session

	receivedAt atomic.Int64 // when a test event came last, in Unix nanoseconds

	// Of upkeep alone:
	at        time.Time // when to look again
	sentAt    time.Time // when the portal was asked; zero where no answer is awaited
	firstLost time.Time // when the first was asked for that did not come
	losses    int
	refused   bool // the portal does not know the method

	mu       sync.Mutex
	alarm    string
	raisedAt time.Time // by our clock
	heardAt  time.Time // when a callback came last, by our clock; zero before the first
}

// received notes that a test event has come.
func (h *heartbeat) received() { h.receivedAt.Store(time.Now().UnixNano()) }

// problem says why Bitrix24 may not reach us; "" where nothing speaks for that.
func (h *heartbeat) problem() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.alarm
}

// setProblem raises the alarm, or with "" ends it.
func (h *heartbeat) setProblem(words string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm, h.raisedAt = words, h.s.cfg.now()
}

// heard notes a callback, which proves as much as a test event. It ends the alarm, unless it
// came before that.
func (h *heartbeat) heard(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heardAt = at
	if since(at, h.raisedAt, h.s.cfg.now()) {
		h.alarm = ""
	}
}

// heardSince tells whether a callback has come since a moment. moment and now are by the
// process's own clock.
func (h *heartbeat) heardSince(moment, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ours := h.s.cfg.now()
	return !h.heardAt.IsZero() && !h.heardAt.After(ours) && !h.heardAt.Before(ours.Add(-now.Sub(moment)))
}

// check asks the portal for a test event, waits for it without stopping anything, and
// raises the alarm when several did not come.
func (h *heartbeat) check(ctx context.Context, now time.Time) error {
	s := h.s
	if s.cfg.CallbackURL == "" || s.bindings.seenAt.IsZero() || now.Before(h.at) {
		return nil
	}
	if !h.sentAt.IsZero() {
		if !time.Unix(0, h.receivedAt.Load()).Before(h.sentAt) || h.heardSince(h.sentAt, now) {
			return h.arrived(ctx, now)
		}
		if now.Sub(h.sentAt) < s.cfg.scaled(testAnswer) {
			return nil
		}
		if err := h.lost(ctx, now); err != nil {
			return err
		}
	}
	err := s.client.In(bitrix24.Operator).Events().RequestTest(ctx)
	if errors.Is(err, leads.ErrRefused) {
		if !h.refused {
			s.cfg.Log.WarnContext(ctx, "the portal sends no test events: leadsync cannot prove that callbacks arrive", "member_id", s.memberID(), "error", err)
		}
		h.refused, h.sentAt, h.at = true, time.Time{}, now.Add(testEvery)
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for a test event: %w", err)
	}
	if h.sentAt = now; h.losses == 0 {
		h.firstLost = now
	}
	return nil
}

// arrived ends an alarm and rests.
func (h *heartbeat) arrived(ctx context.Context, now time.Time) error {
	if h.losses >= testTries {
		if err := h.addIncident(ctx, now); err != nil {
			return err
		}
		h.s.cfg.Log.InfoContext(ctx, "callbacks arrive again", "member_id", h.s.memberID(), "since", h.firstLost)
	}
	h.setProblem("")
	h.losses, h.sentAt, h.at = 0, time.Time{}, now.Add(h.s.cfg.scaled(testEvery))
	return nil
}

// lost counts a test event that did not come. While none comes, more are asked for.
func (h *heartbeat) lost(ctx context.Context, now time.Time) error {
	h.losses++
	if h.losses != testTries {
		return nil
	}
	h.s.cfg.Log.ErrorContext(ctx, "no test event arrived: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", h.s.memberID(), "since", h.firstLost)
	h.setProblem(fmt.Sprintf("%d test events asked for since %s did not arrive: check whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		h.losses, h.firstLost.UTC().Format(time.RFC3339)))
	return h.addIncident(ctx, now)
}

func (h *heartbeat) addIncident(ctx context.Context, now time.Time) error {
	return h.s.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{
		MemberID: h.s.memberID(), Kind: leads.IncidentSilence, From: h.firstLost, To: now, Detail: "test events did not come",
	})
}
