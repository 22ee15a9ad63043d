// Package reconcile proves the mirror equal to the portal: it reads every lead of the
// portal, compares it with what the rows hold now, repairs what differs, and records
// every difference and its likely cause. It must not know how a portal is called or
// which database the mirror is in.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"leadsync/leads"
)

// Portal is the side that is believed.
type Portal interface {
	// Clock is the portal's time, in its zone.
	Clock(ctx context.Context) (time.Time, error)
	// Scan returns the next stretch of leads with ids above after.
	Scan(ctx context.Context, after int64) (leads.Page, error)
	// Changed returns of these only leads that were changed since; IDs only their ids.
	Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error)
	IDs(ctx context.Context, after int64) (leads.Page, error)
	// Leads asks for leads one by one, so that "Not found" and "Access denied." differ. It
	// is called within a turn: where the portal has to be left alone it returns an error
	// with RetryAfter() instead of waiting.
	Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error)
	// Requests is how many HTTP requests were sent so far, Refused how many of them the
	// portal refused because of a limit.
	Requests() int64
	Refused() int64
}

// Mirror is the side that is repaired.
type Mirror interface {
	// Range returns up to limit rows with after < id <= upTo, tombstones included; IDs
	// the same without their columns; Rows those with these ids.
	Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)
	IDs(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)
	Rows(ctx context.Context, memberID string, ids []int64) ([]leads.Row, error)
	Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error)
	RecordFailure(ctx context.Context, ref leads.Ref, reason string, payload []byte) error
	// Breaker is how near deletions are to being stopped; AllowDeletions lets more pass.
	Breaker(ctx context.Context, memberID string) (leads.Breaker, error)
	AllowDeletions(ctx context.Context, memberID string, deletes int64, until time.Time) error
}

// Ledger keeps the run and what it found.
type Ledger interface {
	SaveRun(ctx context.Context, run leads.Run) error
	// AddFindings notes findings before their repair. Settle replaces them, up to the
	// run's checkpoint, by what became of them; Noted are those that it did not reach.
	AddFindings(ctx context.Context, findings []leads.Finding) error
	Settle(ctx context.Context, run leads.Run, found []leads.Finding) error
	Noted(ctx context.Context, runID string) ([]leads.Finding, error)
	// Unconfirmed are phantoms that were absent once; Confirm records the second answer.
	Unconfirmed(ctx context.Context, runID string, after int64, limit int) ([]int64, error)
	Confirm(ctx context.Context, run leads.Run, outcomes []leads.Outcome) error
	// Watermark is the portal's clock at the start of the newest completed pass.
	Watermark(ctx context.Context, memberID string) (time.Time, error)
}

// Config is what a pass works with.
type Config struct {
	Portal Portal
	Mirror Mirror
	Ledger Ledger
	// Witness knows what explains findings; nil knows nothing.
	Witness Witness
	// Turn is held from comparing to writing; no other read of the portal is then on its
	// way into the mirror.
	Turn sync.Locker
	// Grace is how long a lead must have been absent before its row becomes a tombstone.
	Grace time.Duration
	// Young is how recently, by the portal's clock, a lead may have been changed for events
	// not to be blamed yet; 0 is a minute.
	Young time.Duration
	Wake  func() // there is something to relay
	Now   func() time.Time
	// Wait waits, less if the context ends, whose error it then returns; nil is a timer.
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// Pass is one run over one portal.
type Pass struct {
	Config

	run   leads.Run
	saved leads.Run // as the ledger has it: a stretch that fails begins anew from there
	spent spending
	cause leads.Cause

	ahead     time.Duration // of the portal's clock before ours
	limit     int64         // of deletions, as the breaker sets it
	proven    time.Time     // what was changed before was in the mirror then, by the portal's clock
	noted     map[int64]leads.Finding
	incidents []leads.Incident
}

// spending is what was spent before this part of the run.
type spending struct{ requests, refused int64 }

// Run brings a run from its checkpoint to its end and returns it. Where it is stopped,
// or a person or another process has to act first, it returns the error and the run can
// be claimed again; where it cannot go on it ends as incomplete, with the reason.
func Run(ctx context.Context, cfg Config, run leads.Run) (leads.Run, error) {
	p := &Pass{Config: cfg, run: run, saved: run, cause: leads.CauseReconcile}
	p.spent = spending{run.Requests - cfg.Portal.Requests(), run.Refused - cfg.Portal.Refused()}
	if run.Mode == leads.RunImport {
		p.cause = leads.CauseImport
	}
	if p.Young == 0 {
		p.Young = time.Minute
	}
	if p.Wait == nil {
		p.Wait = wait
	}
	err := p.work(ctx)
	switch {
	case ctx.Err() != nil:
		return p.saved, ctx.Err()
	case errors.Is(err, leads.ErrPaused):
		p.saved.State = leads.RunPaused
		return p.saved, nil
	case mustWait(err):
		return p.saved, err
	}
	p.run = p.saved
	p.run.State, p.run.FinishedAt = leads.RunCompleted, p.Now()
	words, failure := p.alarm(ctx)
	p.run.Error = words
	if err = errors.Join(err, failure); err != nil {
		p.run.State, p.run.Error = leads.RunIncomplete, err.Error()
	}
	switch end := p.patiently(ctx, "finish", p.save); {
	case errors.Is(end, leads.ErrPaused):
		p.saved.State = leads.RunPaused
		return p.saved, nil
	case end != nil: // it has not ended where everybody looks; who takes the portal next claims it
		return p.saved, errors.Join(err, fmt.Errorf("%w: %w", leads.ErrUnsettled, end))
	}
	return p.run, errors.Join(err, p.forbid(ctx))
}

// mustWait tells errors that somebody else has to mend; the run goes on when that is
// done.
func mustWait(err error) bool {
	return errors.Is(err, leads.ErrUnauthorized) || errors.Is(err, leads.ErrStopped) || errors.Is(err, leads.ErrNotOwner)
}

// work does what is left of the run.
func (p *Pass) work(ctx context.Context) error {
	if err := p.patiently(ctx, "prepare", p.prepare); err != nil {
		return err
	}
	for p.saved.Checkpoint < leads.MaxID {
		if err := p.patiently(ctx, "compare", p.stretch); err != nil {
			return err
		}
	}
	return p.confirm(ctx)
}

// allowanceLife is how long an operator's word for more deletions outlives a run that
// does not come to its end.
const allowanceLife = 24 * time.Hour

// prepare looks up what the comparison hangs on.
func (p *Pass) prepare(ctx context.Context) (err error) {
	p.run = p.saved
	if p.run.MaxDeletes > 0 && !p.run.DryRun {
		if err := p.Mirror.AllowDeletions(ctx, p.run.MemberID, p.run.MaxDeletes, p.Now().Add(allowanceLife)); err != nil {
			return err
		}
	}
	breaker, err := p.Mirror.Breaker(ctx, p.run.MemberID)
	if err != nil {
		return err
	}
	p.limit = max(breaker.Limit, p.run.MaxDeletes)
	if p.proven, err = p.Ledger.Watermark(ctx, p.run.MemberID); err != nil {
		return err
	}
	if err := p.summon(ctx); err != nil {
		return err
	}
	if p.run.Mode == leads.RunChanged {
		return p.begin()
	}
	at, err := p.Portal.Clock(ctx)
	if err != nil {
		return fmt.Errorf("ask for the portal's time: %w", err)
	}
	p.ahead = at.Sub(p.Now())
	if p.run.PortalAt.IsZero() {
		p.run.PortalAt = at
	}
	return p.save(ctx)
}

// forbid takes back what --max-deletes allowed.
func (p *Pass) forbid(ctx context.Context) error {
	if p.run.MaxDeletes == 0 || p.run.DryRun {
		return nil
	}
	return p.Mirror.AllowDeletions(ctx, p.run.MemberID, 0, time.Time{})
}

// save writes the checkpoint and the sums.
func (p *Pass) save(ctx context.Context) error {
	p.account()
	return p.kept(p.Ledger.SaveRun(ctx, p.run))
}

func (p *Pass) account() {
	p.run.Requests = p.spent.requests + p.Portal.Requests()
	p.run.Refused = p.spent.refused + p.Portal.Refused()
}

// kept takes what the ledger has as what is sure. A run that was paused meanwhile has
// been saved too.
func (p *Pass) kept(err error) error {
	if err != nil && !errors.Is(err, leads.ErrPaused) {
		return err
	}
	p.saved = p.run
	return err
}

func (p *Pass) ref(id int64) leads.Ref { return leads.Ref{MemberID: p.run.MemberID, LeadID: id} }
