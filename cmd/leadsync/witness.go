package main

import (
	"context"
	"fmt"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/reconcile"
)

// witness knows what explains a pass's findings.
type witness struct {
	*base

	memberID string
}

// Incidents implements reconcile.Evidence.
func (w witness) Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error) {
	return w.db.Incidents(ctx, memberID, since)
}

// PendingNotices implements reconcile.Evidence.
func (w witness) PendingNotices(ctx context.Context, ids []int64) (map[int64]bool, error) {
	return events.Waiting(ctx, w.js, w.memberID, ids)
}

// LastCallbacks implements reconcile.Evidence.
func (w witness) LastCallbacks(ctx context.Context, memberID string, ids []int64) (map[int64]time.Time, error) {
	callbacks, err := w.db.LastCallbacks(ctx, memberID, ids)
	heard := make(map[int64]time.Time, len(callbacks))
	for _, c := range callbacks {
		heard[c.LeadID] = c.ReceivedAt
	}
	return heard, err
}

// silentChanges is how many changes without a callback are no accident any more.
const silentChanges = 3

// listenForSilence raises the alarm where a pass found changes of which no callback came: on a
// portal where nothing is changed, none come either, and that is no fault.
func (d *desk) listenForSilence(ctx context.Context, run leads.Run) error {
	if run.Mode != leads.RunChanged || run.DryRun || run.State != leads.RunCompleted {
		return nil
	}
	d.silence.Store(0)
	if run.Missed+run.Stale < silentChanges {
		return nil
	}
	found, err := d.db.Findings(ctx, run.ID)
	if err != nil {
		return err
	}
	silent := 0
	for _, f := range found {
		if f.Cause == reconcile.CauseSilent {
			silent++
		}
	}
	if silent < silentChanges {
		return nil
	}
	return d.raiseSilence(ctx, int64(silent), run.Since)
}

func (d *desk) raiseSilence(ctx context.Context, changes int64, since time.Time) error {
	d.silence.Store(changes)
	d.log.ErrorContext(ctx, "leads were changed and no callback came: look whether Bitrix24 can reach LEADSYNC_PUBLIC_URL",
		"member_id", d.own.Portal.MemberID, "changes", changes, "since", since)
	return d.db.AddIncident(ctx, leads.Incident{
		MemberID: d.own.Portal.MemberID, Kind: leads.IncidentSilence, From: since, To: d.cfg.now(),
	})
}

// silentWords says what speaks for a way in that is closed; "" is nothing.
func (d *desk) silentWords() string {
	if words := d.heartbeat.silent(); words != "" {
		return words
	}
	if n := d.silence.Load(); n > 0 {
		return fmt.Sprintf("%d leads were changed lately and no callback came: look whether Bitrix24 can reach LEADSYNC_PUBLIC_URL", n)
	}
	return ""
}
