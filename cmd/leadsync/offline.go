package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/reconcile"
)

// When the portal's own queue of events is read.
const (
	// drainFirst is how long after a portal became ours: callbacks that wait are read
	// first, and need not be read twice.
	drainFirst = 20 * time.Second
	drainEvery = time.Minute
	// drainRung is how long after the portal rang: by then most callbacks have come too.
	drainRung = 10 * time.Second
)

// offline is the portal's own queue of events, as the portal's owner drains it.
type offline struct {
	reconcile.Drainer

	rung   atomic.Bool
	opened atomic.Bool
	// Of Drain alone:
	off    bool // the portal does not let us; asked again when the events are bound again
	at     time.Time
	rungAt time.Time
	judged time.Time // when it was drained last
	told   bool
}

// Rang implements consumers.Desk.
func (d *desk) Rang(event string) {
	switch events.PortalEvent(event) {
	case events.Doorbell:
		d.offline.rung.Store(true)
	case events.Tested:
		d.heartbeat.heard.Store(time.Now().UnixNano())
	default: // the owner passes no other on
	}
}

// Drain implements consumers.Desk.
func (d *desk) Drain(ctx context.Context) error {
	o := &d.offline
	switch {
	case d.store == nil: // a command that works alone
		return nil
	case d.chain == nil:
		d.tellOffline(ctx, "a webhook may not read it")
		return nil
	case !d.drainDue(time.Now()):
		return nil
	}
	if !o.opened.Load() {
		if err := d.openOffline(ctx); err != nil {
			return err
		}
	}
	if !o.off {
		silent, since := o.Silent.Load(), o.judged
		if err := d.refused(ctx, o.Drain(ctx)); err != nil {
			return err
		}
		o.judged = time.Now()
		if silent = o.Silent.Load() - silent; silent >= silentChanges {
			if err := d.raiseSilence(ctx, silent, since); err != nil {
				return err
			}
		}
	}
	o.at = time.Now().Add(d.pace(drainEvery))
	return nil
}

// refused takes the portal's no for an answer; other errors are returned.
func (d *desk) refused(ctx context.Context, err error) error {
	if !errors.Is(err, leads.ErrRefused) {
		return err
	}
	d.offline.off = true
	d.tellOffline(ctx, err.Error())
	return nil
}

// drainDue tells whether it is time: by the timer, or a while after the portal rang.
func (d *desk) drainDue(now time.Time) bool {
	o := &d.offline
	if o.rung.Load() && o.rungAt.IsZero() {
		o.rungAt = now.Add(d.pace(drainRung))
	}
	if now.Before(o.at) && (o.rungAt.IsZero() || now.Before(o.rungAt)) {
		return false
	}
	o.rung.Store(false)
	o.rungAt = time.Time{}
	return true
}

// openOffline binds the events to the queue, and learns how it can be read.
func (d *desk) openOffline(ctx context.Context) error {
	o := &d.offline
	o.off = false
	err := d.bindOffline(ctx)
	if errors.Is(err, leads.ErrRefused) {
		o.opened.Store(true)
		return d.refused(ctx, err)
	}
	if err != nil {
		return err
	}
	queue, err := d.client.In(bitrix24.Operator).OfflineQueue(ctx)
	if err != nil {
		return err
	}
	if !queue.Reserves() {
		d.log.WarnContext(ctx, "the plan cannot reserve offline events: what is lost on its way from the portal's queue is found by reconciliation only",
			"member_id", d.own.Portal.MemberID)
	}
	o.Queue, o.judged = queue, time.Now()
	if o.Since.IsZero() {
		o.Since = d.cfg.now()
	}
	o.opened.Store(true)
	o.Store, o.Now, o.Log, o.Young = d.storeOffline, d.cfg.now, d.log, d.cfg.young
	o.Heard = func(ctx context.Context, ids []int64) (map[int64]time.Time, error) {
		return witness{d.base, d.own.Portal.MemberID}.Heard(ctx, d.own.Portal.MemberID, ids)
	}
	return nil
}

// reopenOffline has the bindings looked at again before the next drain.
func (d *desk) reopenOffline() { d.offline.opened.Store(false) }

// bindOffline has the portal queue the events, and ring where it can reach us.
func (d *desk) bindOffline(ctx context.Context) error {
	d.binding.Lock()
	defer d.binding.Unlock()
	client := d.client.In(bitrix24.Operator)
	bound, err := client.Bindings(ctx)
	if err != nil {
		return err
	}
	handler := ""
	if d.cfg.publicURL != "" {
		handler = d.cfg.publicURL + callbackPath
	}
	added, err := client.BindOffline(ctx, bound, handler)
	if err != nil || len(added) == 0 {
		return err
	}
	d.log.InfoContext(ctx, "offline events bound", "member_id", d.own.Portal.MemberID, "events", len(added))
	return d.db.SaveBound(ctx, d.own.Portal.MemberID, boundLines(append(bound, added...)))
}

// storeOffline keeps notices as callbacks are kept: on the stream, or in the spool.
func (d *desk) storeOffline(ctx context.Context, list []leads.OfflineEvent) error {
	for _, e := range list {
		entry, err := events.NoticeEntry(events.Notice{
			Ref:   leads.Ref{MemberID: d.own.Portal.MemberID, LeadID: e.LeadID},
			Event: e.Event, Cause: leads.CauseOffline, SentAt: e.At.Unix(), ReceivedAt: d.cfg.now().UTC(),
		})
		if err != nil {
			return err
		}
		if err := d.store(ctx, entry); err != nil {
			return err
		}
	}
	return nil
}

// tellOffline says once that the queue is left out.
func (d *desk) tellOffline(ctx context.Context, why string) {
	if d.offline.told {
		return
	}
	d.offline.told = true
	d.log.InfoContext(ctx, "the portal's own queue of events is not used", "member_id", d.own.Portal.MemberID, "why", why)
}
