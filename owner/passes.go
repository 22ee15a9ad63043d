package owner

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/retry"
)

// passes runs the reconciliations of a portal.
type passes struct {
	s         *Session
	requested chan struct{} // wakes: one may be
	ended     atomic.Int64  // how many have
}

func newPasses(s *Session) *passes { return &passes{s: s, requested: make(chan struct{}, 1)} }

// next runs a pass that was requested, or one that a former owner left unfinished.
func (p *passes) next(ctx context.Context) error {
	run, ok, err := p.s.cfg.Mirror.Runs.ClaimRun(ctx, p.s.memberID())
	if err != nil || !ok {
		return err
	}
	return p.run(ctx, run)
}

// run brings a pass to its end and publishes its summary; what stops before that goes on
// when the run is claimed again.
func (p *passes) run(ctx context.Context, run leads.Run) error {
	fields := make(chan struct{})
	go func() {
		defer close(fields)
		p.s.fields.update(ctx, p.s.client.In(bitrix24.Operator))
	}()
	run, err := reconcile.Run(ctx, p.config(fields), run)
	<-fields // a pass may fail before it reads
	p.ended.Add(1)
	if !run.Finished() {
		return err
	}
	cfg := p.s.cfg
	cfg.Log.InfoContext(ctx, "pass ended", "member_id", run.MemberID, "run", run.ID, "mode", run.Mode, "state", run.State,
		"scanned", run.Scanned, "found", run.Found(), "repaired", run.Repaired(), "requests", run.Requests)
	err = errors.Join(err, events.PublishRun(ctx, cfg.Bus, run))
	if cfg.Keep != nil { // a command takes no callbacks: that none came says nothing
		err = errors.Join(err, p.s.silence.judge(ctx, run))
	}
	if run.State == leads.RunCompleted && (run.Mode == leads.RunFull || run.Mode == leads.RunImport) {
		err = errors.Join(err, cfg.Mirror.Reports.TouchLeadList(ctx, cfg.now()))
	}
	return err
}

// config is what passes over this portal work with. They read no lead before fields is closed.
func (p *passes) config(fields <-chan struct{}) reconcile.Config {
	cfg, own := p.s.cfg, p.s.own
	return reconcile.Config{
		Portal: &scanner{client: p.s.client.In(bitrix24.Background), own: own, fields: fields, seen: p.s.see, answered: func() { p.s.health.begin(PartPasses) }},
		Mirror: cfg.Mirror.Rows, Ledger: cfg.Mirror.Ledger, Evidence: evidence{cfg, p.s.memberID()},
		Parked: consumers.Parked{Bus: cfg.Bus, Failures: cfg.Mirror.Leads},
		Report: p.report, Wait: p.wait,
		ReadOrder: own.ReadOrder, Grace: cfg.Grace, MinAge: cfg.MinAge, Wake: cfg.Wake,
		Now: func() time.Time { return cfg.now().UTC() }, Log: cfg.Log,
	}
}

// report notes how a step of a pass ended; the next begins at once, or after a wait.
func (p *passes) report(err error) {
	p.s.health.report(PartPasses, err)
	p.s.health.begin(PartPasses)
}

// wait waits as a pass wants it: meanwhile no answer is awaited.
func (p *passes) wait(ctx context.Context, d time.Duration) error {
	p.s.health.pause(PartPasses)
	defer p.s.health.begin(PartPasses)
	return retry.Wait(ctx, d)
}

// scanner reads for a pass: in the lowest lane, and with tickets that are drawn while no
// live read is on its way.
type scanner struct {
	client   *bitrix24.Client
	own      Ownership
	fields   <-chan struct{}        // closed when the definitions of custom fields were asked for
	seen     func([]leads.Snapshot) // gets what was read, with its cards
	answered func()                 // called when the portal has answered
}

// Clock implements reconcile.Portal.
func (s *scanner) Clock(ctx context.Context) (time.Time, error) {
	at, err := s.client.Clock(ctx)
	return at, s.noted(err)
}

// Scan implements reconcile.Portal.
func (s *scanner) Scan(ctx context.Context, after int64, at reconcile.Steps) (leads.Page, error) {
	<-s.fields
	page, err := s.client.Leads().Answered(at.Answered).Scan(ctx, after, func() leads.Ticket {
		defer at.Drawn()
		return s.draw()
	})
	s.seen(page.Snapshots)
	return page, s.noted(err)
}

// Changed implements reconcile.Portal.
func (s *scanner) Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error) {
	<-s.fields
	page, err := s.client.Leads().Changed(ctx, after, since, s.draw)
	s.seen(page.Snapshots)
	return page, s.noted(err)
}

// IDs implements reconcile.Portal.
func (s *scanner) IDs(ctx context.Context, after int64) (leads.Page, error) {
	<-s.fields
	page, err := s.client.Leads().IDs(ctx, after, s.draw)
	return page, s.noted(err)
}

// noted calls answered unless there is an error, which it returns.
func (s *scanner) noted(err error) error {
	if err == nil {
		s.answered()
	}
	return err
}

func (s *scanner) draw() leads.Ticket { return drawInOrder(s.own.ReadOrder, s.own.Tickets) }

// Leads implements reconcile.Portal; the pass holds ReadOrder when it calls it.
func (s *scanner) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	snaps, err := s.client.Hasty().Leads().Read(ctx, ids, s.own.Tickets.Draw)
	s.seen(snaps)
	return snaps, s.noted(err)
}

// Requests implements reconcile.Portal: those of passes alone, not of what callbacks and
// commands ask meanwhile.
func (s *scanner) Requests() int64 { return s.client.LaneRequests() }

// Refused implements reconcile.Portal.
func (s *scanner) Refused() int64 { return s.client.Refused() }

func drawInOrder(order sync.Locker, tickets *leads.Tickets) leads.Ticket {
	order.Lock()
	defer order.Unlock()
	return tickets.Draw()
}
