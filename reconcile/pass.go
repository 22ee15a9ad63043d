// Package reconcile proves the mirror equal to the portal: it reads every lead of the
// portal, compares it with what the rows hold now, repairs what differs, and records
// every difference and its likely cause. It must not know how a portal is called or
// which database the mirror is in.
//
// Run works through a run: Pass is its life, window reads the next leads, Comparison
// compares them, repairer writes, inquiry asks for absent leads, explainer finds causes.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// Pass is the life of one run over one portal: it prepares, takes window after window,
// confirms deletions, and ends.
type Pass struct {
	cfg Config
	// run is as the ledger has it. A step works on a copy, which is discarded if it fails.
	run       leads.Run
	limit     int64 // of deletions, as the breaker sets it
	explainer explainer
	parked    []leads.Failing // leads that were given up, when this part of the run began
	// Requests of earlier parts of the run, less what the portal's counters showed when this
	// part began.
	requests, refused int64
	ahead             *lookahead // of the next window; nil where none is being read
}

// Run brings a run from its checkpoint to its end and returns it. If ctx ends, or a person
// or another process has to act first (leads.Final), it returns the error, and the run can
// be claimed again. If the run is paused, it returns no error. If it cannot go on
// otherwise, the run ends as incomplete, with the reason, and Run returns the error.
func Run(ctx context.Context, cfg Config, run leads.Run) (leads.Run, error) {
	p := newPass(cfg, run)
	err := p.work(ctx)
	switch {
	case ctx.Err() != nil:
		return p.run, ctx.Err()
	case errors.Is(err, leads.ErrPaused):
		p.run.State = leads.RunPaused
		return p.run, nil
	case leads.Final(err):
		return p.run, err
	}
	return p.finish(ctx, err)
}

func newPass(cfg Config, run leads.Run) *Pass {
	if cfg.MinAge == 0 {
		cfg.MinAge = time.Minute
	}
	if cfg.Wait == nil {
		cfg.Wait = retry.Wait
	}
	return &Pass{
		cfg: cfg, run: run, requests: run.Requests - cfg.Portal.Requests(), refused: run.Refused - cfg.Portal.Refused(),
		explainer: explainer{memberID: run.MemberID, mode: run.Mode, evidence: cfg.Evidence, minAge: cfg.MinAge, now: cfg.Now},
	}
}

// work does what is left of the run.
func (p *Pass) work(ctx context.Context) error {
	if err := p.persist(ctx, "prepare", p.prepare); err != nil {
		return err
	}
	defer p.dropAhead()
	for p.run.Checkpoint < leads.MaxID {
		if err := p.persist(ctx, "compare", p.nextWindow); err != nil {
			return err
		}
	}
	return p.confirmAbsent(ctx)
}

// allowanceLife is how long --max-deletes outlives a run that does not come to its end.
const allowanceLife = 24 * time.Hour

// prepare reads what the comparison needs: limits, clocks, incidents.
func (p *Pass) prepare(ctx context.Context) (err error) {
	run := p.run
	if run.MaxDeletes > 0 && !run.DryRun {
		if err := p.cfg.Mirror.AllowDeletions(ctx, run.MemberID, run.MaxDeletes, p.cfg.Now().Add(allowanceLife)); err != nil {
			return err
		}
	}
	breaker, err := p.cfg.Mirror.Breaker(ctx, run.MemberID)
	if err != nil {
		return err
	}
	p.limit = max(breaker.Limit, run.MaxDeletes)
	if p.cfg.Parked != nil && !run.DryRun {
		if p.parked, err = p.cfg.Parked.Parked(ctx, run.MemberID); err != nil {
			return fmt.Errorf("read which leads were given up: %w", err)
		}
	}
	if p.explainer.watermark, err = p.cfg.Ledger.Watermark(ctx, run.MemberID); err != nil {
		return err
	}
	if err := p.explainer.loadIncidents(ctx); err != nil {
		return err
	}
	if run.Mode == leads.RunChanged { // each of its answers carries the portal's time
		return p.setSince()
	}
	at, err := p.cfg.Portal.Clock(ctx)
	if err != nil {
		return fmt.Errorf("ask for the portal's time: %w", err)
	}
	p.explainer.ahead = at.Sub(p.cfg.Now())
	if run.PortalAt.IsZero() {
		run.PortalAt = at
	}
	return p.save(ctx, run)
}

// overlap is how much of the time before its watermark a changed pass reads again: the
// portal may commit late and change its clock.
const overlap = 5 * time.Minute

// errNoWatermark says that a changed pass has nothing to start from.
var errNoWatermark = errors.New("no pass over this portal has been completed yet: run a full pass first")

// setSince sets the moment from which a changed pass reads.
func (p *Pass) setSince() error {
	switch {
	case !p.run.Since.IsZero(): // an earlier part of the run has set it
	case p.explainer.watermark.At.IsZero():
		return errNoWatermark
	default:
		p.run.Since = p.explainer.watermark.At.Add(-overlap)
	}
	return nil
}

// nextWindow reads, compares and repairs the next window. The window is done when its
// checkpoint, sums and findings are saved, in one transaction.
func (p *Pass) nextWindow(ctx context.Context) error {
	run := p.run
	noted, err := p.loadNoted(ctx)
	if err != nil {
		p.dropAhead()
		return err
	}
	r := &repairer{cfg: &p.cfg, run: &run, noted: noted}
	w := window{cfg: &p.cfg, run: &run, scan: p.scan, repairer: r, explainer: &p.explainer}
	page, err := w.read(ctx)
	if err != nil {
		return fmt.Errorf("read leads above %d: %w", run.Checkpoint, err)
	}
	p.readAhead(ctx, page)
	found, absent, lacking, err := w.repair(ctx, page)
	if err != nil {
		return err
	}
	q := inquiry{cfg: &p.cfg, run: &run, repairer: r, explainer: &p.explainer, limit: p.limit}
	missed, err := w.fill(ctx, &q, lacking)
	if err != nil {
		return err
	}
	phantoms, err := q.ask(ctx, absent)
	if err != nil {
		return err
	}
	if err := p.forgetParked(ctx, page, &q); err != nil {
		return err
	}
	run.Checkpoint = page.UpTo
	p.countRequests(&run)
	return p.keep(run, p.cfg.Ledger.Settle(ctx, run, r.recorded(slices.Concat(found, missed, phantoms))))
}

// loadNoted reads the findings that a killed part of the run has noted and not settled.
func (p *Pass) loadNoted(ctx context.Context) (map[int64]leads.Finding, error) {
	list, err := p.cfg.Ledger.Noted(ctx, p.run.ID)
	if err != nil {
		return nil, fmt.Errorf("read findings that are not settled: %w", err)
	}
	noted := make(map[int64]leads.Finding, len(list))
	for _, f := range list {
		noted[f.Ref.LeadID] = f
	}
	return noted, nil
}

// confirmAbsent asks again, after the grace period, for leads that were absent.
func (p *Pass) confirmAbsent(ctx context.Context) error {
	if p.run.DryRun {
		return nil
	}
	waited := false
	for after := int64(0); ; {
		ids, err := p.cfg.Ledger.Unconfirmed(ctx, p.run.ID, after, askedAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		breaker, err := p.cfg.Mirror.Breaker(ctx, p.run.MemberID)
		if err != nil || breaker.Open() {
			return err // nothing would be deleted
		}
		if !waited {
			waited = true
			if err := p.waitGrace(ctx); err != nil {
				return err
			}
		}
		if err := p.persist(ctx, "confirm", func(ctx context.Context) error { return p.confirm(ctx, ids) }); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

func (p *Pass) waitGrace(ctx context.Context) error {
	p.cfg.Log.InfoContext(ctx, "waiting for the grace period before asking again for absent leads",
		"member_id", p.run.MemberID, "leads", p.run.Phantom, "grace", p.cfg.Grace)
	return p.cfg.Wait(ctx, p.cfg.Grace)
}

func (p *Pass) confirm(ctx context.Context, ids []int64) error {
	run := p.run
	q := inquiry{cfg: &p.cfg, run: &run, repairer: &repairer{cfg: &p.cfg, run: &run}}
	return q.confirm(ctx, ids, func(outcomes []leads.Outcome) error {
		p.countRequests(&run)
		return p.keep(run, p.cfg.Ledger.Confirm(ctx, run, outcomes))
	})
}

// finish ends the run: as completed, or with a failure as incomplete.
func (p *Pass) finish(ctx context.Context, failure error) (leads.Run, error) {
	run := p.run
	run.State, run.FinishedAt = leads.RunCompleted, p.cfg.Now()
	alarm, err := p.alarm(ctx)
	run.Error = alarm
	if err = errors.Join(failure, err); err != nil {
		run.State, run.Error = leads.RunIncomplete, err.Error()
	}
	switch end := p.persist(ctx, "finish", func(ctx context.Context) error { return p.save(ctx, run) }); {
	case errors.Is(end, leads.ErrPaused):
		p.run.State = leads.RunPaused
		return p.run, nil
	case end != nil: // the ledger does not show the end: the portal's next owner claims the run
		return p.run, errors.Join(err, fmt.Errorf("%w: %w", leads.ErrUnsettled, end))
	}
	return p.run, errors.Join(err, p.endAllowance(ctx))
}

// endAllowance takes back what --max-deletes allowed.
func (p *Pass) endAllowance(ctx context.Context) error {
	if p.run.MaxDeletes == 0 || p.run.DryRun {
		return nil
	}
	return p.cfg.Mirror.AllowDeletions(ctx, p.run.MemberID, 0, time.Time{})
}

// save writes the run's checkpoint and sums.
func (p *Pass) save(ctx context.Context, run leads.Run) error {
	p.countRequests(&run)
	return p.keep(run, p.cfg.Ledger.SaveRun(ctx, run))
}

func (p *Pass) countRequests(run *leads.Run) {
	run.Requests = p.requests + p.cfg.Portal.Requests()
	run.Refused = p.refused + p.cfg.Portal.Refused()
}

// keep makes the copy that a step worked on the pass's run, if the ledger has saved it. It
// returns err, the ledger's answer: a run that was paused meanwhile has been saved too.
func (p *Pass) keep(run leads.Run, err error) error {
	if err == nil || errors.Is(err, leads.ErrPaused) {
		p.run = run
	}
	return err
}
