package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/leads"
)

// patience is how long a pass tries without getting on before it gives up as incomplete.
const patience = time.Hour

// longestWait is the longest pause between two tries.
const longestWait = 4 * time.Minute

// patiently repeats work that fails for a reason that may pass: a sick portal, a busy
// database. What was counted by a try that failed is forgotten.
func (p *Pass) patiently(ctx context.Context, what string, work func(context.Context) error) error {
	began := p.Now()
	for failures := 0; ; failures++ {
		err := work(ctx)
		if err == nil || ctx.Err() != nil || hopeless(err) {
			return err
		}
		if late := p.Now().Sub(began); late >= patience {
			return fmt.Errorf("no progress for %s: %w", late.Round(time.Second), err)
		}
		pause := min(time.Second<<min(failures, 10), longestWait)
		p.Log.WarnContext(ctx, "pass waits", "member_id", p.run.MemberID, "run", p.run.ID, "work", what,
			"above", p.saved.Checkpoint, "pause", pause, "error", err)
		if err := p.Wait(ctx, pause); err != nil {
			return err
		}
	}
}

// hopeless tells errors that no repetition mends.
func hopeless(err error) bool {
	return mustWait(err) || errors.Is(err, leads.ErrPaused) || errors.Is(err, leads.ErrRefused) || errors.Is(err, errNoWatermark)
}

// wait waits by the machine's clock.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
