package main

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

// The way in is proved by having the portal send us a test event.
const (
	testEvery = time.Hour
	// testAnswer is how long one may take; the portal's queue may be a few seconds late.
	testAnswer = time.Minute
	// testTries is how many in a row must be lost before that is an alarm: Bitrix24 sends
	// each only once.
	testTries = 3
)

// heartbeat is what is known of the way in.
type heartbeat struct {
	heard atomic.Int64 // when an answer came last, in Unix nanoseconds

	at     time.Time // when to look again; of Upkeep alone, as those below
	sent   time.Time // zero where nothing is waited for
	first  time.Time // when the first was sent that was not heard
	losses int
	refuse bool // the portal does not know the method

	mu    sync.Mutex
	alarm string // in words; "" is well
}

// silent says in words what is wrong with the way in; "" is nothing that we know of.
func (h *heartbeat) silent() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.alarm
}

func (h *heartbeat) say(words string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm = words
}

// testWayIn asks the portal for a test event, waits for it without stopping anything, and
// raises the alarm when several did not come.
func (d *desk) testWayIn(ctx context.Context, now time.Time) error {
	h := &d.heartbeat
	if d.cfg.publicURL == "" || d.boundAt.IsZero() || now.Before(h.at) {
		return nil
	}
	if !h.sent.IsZero() {
		if !time.Unix(0, h.heard.Load()).Before(h.sent) {
			return d.wayInIsOpen(ctx, now)
		}
		if now.Sub(h.sent) < d.pace(testAnswer) {
			return nil
		}
		if err := d.unheard(ctx, now); err != nil {
			return err
		}
	}
	err := d.client.In(bitrix24.Operator).Events().RequestTest(ctx)
	if errors.Is(err, leads.ErrRefused) {
		if !h.refuse {
			d.log.WarnContext(ctx, "the portal sends no test events: the way in cannot be proved", "member_id", d.own.Portal.MemberID, "error", err)
		}
		h.refuse, h.sent, h.at = true, time.Time{}, now.Add(testEvery)
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for a test event: %w", err)
	}
	if h.sent = now; h.losses == 0 {
		h.first = now
	}
	return nil
}

// wayInIsOpen ends an alarm and rests.
func (d *desk) wayInIsOpen(ctx context.Context, now time.Time) error {
	h := &d.heartbeat
	if h.losses >= testTries {
		if err := d.noteSilence(ctx, now); err != nil {
			return err
		}
		d.log.InfoContext(ctx, "test events come again", "member_id", d.own.Portal.MemberID, "since", h.first)
	}
	h.say("")
	h.losses, h.sent, h.at = 0, time.Time{}, now.Add(d.pace(testEvery))
	return nil
}

// unheard counts a test event that did not come. While none comes it is tried on.
func (d *desk) unheard(ctx context.Context, now time.Time) error {
	h := &d.heartbeat
	h.losses++
	if h.losses != testTries {
		return nil
	}
	d.log.ErrorContext(ctx, "no test event came: look whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", d.own.Portal.MemberID, "since", h.first)
	h.say(fmt.Sprintf("%d test events asked for since %s did not come: look whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		h.losses, h.first.UTC().Format(time.RFC3339)))
	return d.noteSilence(ctx, now)
}

func (d *desk) noteSilence(ctx context.Context, now time.Time) error {
	return d.db.AddIncident(ctx, leads.Incident{
		MemberID: d.own.Portal.MemberID, Kind: leads.IncidentSilence, From: d.heartbeat.first, To: now, Detail: "test events did not come",
	})
}
