package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// progressLimit is how long a pass repeats a step that fails before it ends as incomplete.
const progressLimit = time.Hour

// stepRetries is how long a pass waits before it repeats a step that failed: less than a
// minute, so that readiness soon shows that it goes on.
var stepRetries = retry.Policy{First: time.Second, Max: 45 * time.Second}

// errNoProgress says that a step has failed for longer than progressLimit.
var errNoProgress = errors.New("no progress")

// persist repeats a step of a pass until it succeeds, its error is final, or it has failed
// for progressLimit. A portal that refuses everything is waited for: only a person ends that.
func (p *Pass) persist(ctx context.Context, name string, step func(context.Context) error) error {
	began := p.cfg.Now()
	loop := retry.Loop{
		Policy: stepRetries, Final: final, Wait: p.cfg.Wait,
		Failed: func(err error, _ int, pause time.Duration) {
			p.cfg.Log.WarnContext(ctx, "step of a pass failed, repeating it", "member_id", p.run.MemberID, "run", p.run.ID, "step", name,
				"above", p.run.Checkpoint, "pause", pause, "error", err)
		},
	}
	return loop.Until(ctx, func(ctx context.Context) error {
		err := step(ctx)
		if p.cfg.Report != nil && ctx.Err() == nil && !errors.Is(err, leads.ErrPaused) {
			p.cfg.Report(err)
		}
		if took := p.cfg.Now().Sub(began); err != nil && !final(err) && took >= progressLimit && !errors.Is(err, leads.ErrPortalRefuses) {
			return fmt.Errorf("%w for %s: %w", errNoProgress, took.Round(time.Second), err)
		}
		return err
	})
}

// final tells errors that repeating a step does not mend.
func final(err error) bool {
	return leads.Final(err) || errors.Is(err, leads.ErrPaused) || errors.Is(err, leads.ErrRefused) ||
		errors.Is(err, errNoWatermark) || errors.Is(err, errNoProgress)
}
