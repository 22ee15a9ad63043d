package consumers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// Failures counts the failures of single leads where newer notices do not reset them.
type Failures interface {
	CountFailure(ctx context.Context, ref leads.Ref, event, reason string, next func(attempts int) time.Time) (leads.Failing, error)
	Failing(ctx context.Context, memberID string) ([]leads.Failing, error)
	ForgetFailures(ctx context.Context, memberID string, ids []int64) error
}

// DefaultRetryPolicy says how long a lead that failed waits for its next attempt, given
// the attempts so far; false gives it up.
func DefaultRetryPolicy(attempts int) (wait time.Duration, again bool) {
	waits := [...]time.Duration{10 * time.Second, time.Minute, 6 * time.Minute, 36 * time.Minute}
	if attempts > len(waits) {
		return 0, false
	}
	return waits[attempts-1], true
}

// loadFailures reads which leads failed under earlier owners.
func (w *Worker) loadFailures(ctx context.Context) error {
	failing, err := w.Mirror.Failing(ctx, w.MemberID)
	if err != nil {
		return err
	}
	w.failing = make(map[int64]leads.Failing, len(failing))
	for _, f := range failing {
		w.failing[f.LeadID] = f
	}
	return nil
}

// due are notices of failed leads whose next attempt has come. One whose last attempt is
// yet to come was counted before the clock was set back: its wait means nothing.
func (w *Worker) due() map[int64]events.Notice {
	notices, now := map[int64]events.Notice{}, w.Now()
	for id, f := range w.failing {
		if !f.Parked() && (!now.Before(f.NextAttemptAt) || f.LastAt.After(now)) {
			notices[id] = events.Notice{Ref: f.Ref, Event: f.Event, Cause: leads.CauseEvent}
		}
	}
	return notices
}

// retryFailed tries those again.
func (w *Worker) retryFailed(ctx context.Context) error {
	notices := w.due()
	if len(notices) == 0 {
		return nil
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	return w.work(ctx, notices)
}

// settle counts the failures of a batch and forgets those of leads that were written.
func (w *Worker) settle(ctx context.Context, notices map[int64]events.Notice, outcomes []leads.Outcome, snaps []leads.Snapshot) error {
	failed := slices.ContainsFunc(outcomes, func(o leads.Outcome) bool { return o.Verdict == leads.Failed })
	if failed {
		// An operator may have had some forgotten meanwhile.
		if err := w.loadFailures(ctx); err != nil {
			return err
		}
	}
	var written []int64
	for i, o := range outcomes {
		if o.Verdict == leads.Failed {
			if err := w.fail(ctx, notices[o.LeadID], o, snaps[i].Lead.Raw); err != nil {
				return err
			}
			continue
		}
		if _, ok := w.failing[o.LeadID]; ok {
			written = append(written, o.LeadID)
		}
	}
	return w.forgetFailures(ctx, written)
}

// fail counts a failure. A lead that is not tried again is parked first: a kill
// between the two parks it twice, which is one dead letter.
func (w *Worker) fail(ctx context.Context, n events.Notice, o leads.Outcome, payload []byte) error {
	known := w.failing[o.LeadID]
	policy := w.RetryPolicy
	if policy == nil {
		policy = DefaultRetryPolicy
	}
	wait, again := policy(known.Attempts + 1)
	if !again {
		if err := w.park(ctx, n, o, payload, known); err != nil {
			return err
		}
	}
	f, err := w.Mirror.CountFailure(ctx, o.Ref, n.Event, o.Err.Error(), func(int) time.Time {
		if !again {
			return time.Time{}
		}
		return w.Now().Add(wait)
	})
	if err != nil {
		return err
	}
	w.failing[o.LeadID] = f
	w.Log.WarnContext(ctx, "lead cannot be written", "member_id", o.MemberID, "lead_id", o.LeadID,
		"attempts", f.Attempts, "parked", f.Parked(), "next_attempt_at", f.NextAttemptAt, "error", o.Err)
	return nil
}

// park gives a lead up: its payload goes to SQL, the notice to the dead letters, and the
// other leads go on. A parked lead that fails again in the same way leaves no second
// payload.
func (w *Worker) park(ctx context.Context, n events.Notice, o leads.Outcome, payload []byte, known leads.Failing) error {
	reason, now := o.Err.Error(), w.Now().UTC()
	repeated := known.Attempts > 0 && known.Parked() && known.Reason == reason
	if !repeated {
		if err := w.Mirror.RecordFailure(ctx, o.Ref, reason, payload); err != nil {
			return err
		}
	}
	dead := events.DeadLetter{Notice: n, Reason: reason, Attempts: known.Attempts + 1, FirstAt: known.FirstAt, LastAt: now}
	if dead.FirstAt.IsZero() {
		dead.FirstAt = now
	}
	if err := events.PublishDead(ctx, w.Bus, dead); err != nil {
		return err
	}
	if !repeated {
		w.Stats.Parked.Add(1)
	}
	return nil
}

// forgetFailures forgets the failures of leads that were written, and their dead letters.
func (w *Worker) forgetFailures(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	parked := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return !w.failing[id].Parked() })
	if err := dropDead(ctx, w.Bus, w.MemberID, parked); err != nil {
		return err
	}
	if err := w.Mirror.ForgetFailures(ctx, w.MemberID, ids); err != nil {
		return err
	}
	for _, id := range ids {
		delete(w.failing, id)
	}
	w.Log.InfoContext(ctx, "leads that had failed are written now", "member_id", w.MemberID, "lead_ids", ids)
	return nil
}

func dropDead(ctx context.Context, bus *events.Bus, memberID string, ids []int64) error {
	for _, id := range ids {
		if err := events.DropDead(ctx, bus, leads.Ref{MemberID: memberID, LeadID: id}); err != nil {
			return err
		}
	}
	return nil
}

// Parked is what passes need of the leads that were given up.
type Parked struct {
	Bus      *events.Bus
	Failures Failures
}

// Parked returns a portal's leads that were given up.
func (p Parked) Parked(ctx context.Context, memberID string) ([]leads.Failing, error) {
	failing, err := p.Failures.Failing(ctx, memberID)
	return slices.DeleteFunc(failing, func(f leads.Failing) bool { return !f.Parked() }), err
}

// Forget forgets the failures of given-up leads that are right again or gone, and their dead
// letters, except where a lead has failed once more meanwhile. The worker may still know
// them: it reads them anew when one fails again.
func (p Parked) Forget(ctx context.Context, memberID string, parked []leads.Failing) error {
	now, err := p.Parked(ctx, memberID)
	if err != nil {
		return err
	}
	var ids []int64
	for _, f := range parked {
		if slices.ContainsFunc(now, func(n leads.Failing) bool {
			return n.LeadID == f.LeadID && n.Attempts == f.Attempts && n.LastAt.Equal(f.LastAt)
		}) {
			ids = append(ids, f.LeadID)
		}
	}
	if err := dropDead(ctx, p.Bus, memberID, ids); err != nil {
		return err
	}
	return p.Failures.ForgetFailures(ctx, memberID, ids)
}

// noteCallbacks keeps when the last callback of each lead came.
func (w *Worker) noteCallbacks(ctx context.Context, notices map[int64]events.Notice) error {
	var callbacks []leads.LastCallback
	for id, n := range notices {
		if n.Cause == leads.CauseEvent && !n.ReceivedAt.IsZero() {
			callbacks = append(callbacks, leads.LastCallback{LeadID: id, Event: n.Event, ReceivedAt: n.ReceivedAt})
		}
	}
	if err := w.Mirror.NoteCallbacks(ctx, w.MemberID, callbacks); err != nil {
		return fmt.Errorf("after writing: %w", err)
	}
	return nil
}
