package owner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// checkBindings is how often the owner looks whether the events are still bound, and
// firstCheck how long after a portal became ours: an installation binds at once anyway.
const (
	checkBindings = time.Hour
	firstCheck    = time.Minute
)

// bindings are the portal's event handlers that call us.
type bindings struct {
	s *Session

	binding sync.Mutex // one at a time
	// Of upkeep alone:
	checkAt time.Time // when to look again
	seenAt  time.Time // when they were seen to be bound
	// unreported are events that were no longer bound, until that is stored and a pass is
	// requested; unboundAt is when they were last seen to be bound.
	unreported []bitrix24.Event
	unboundAt  time.Time
}

func newBindings(s *Session) *bindings {
	return &bindings{s: s, checkAt: time.Now().Add(s.cfg.scaled(firstCheck))}
}

// Bind has the portal send its events to us; repeating it changes nothing. A webhook
// cannot bind: a person creates its outgoing webhook in Bitrix24.
func (s *Session) Bind(ctx context.Context) error {
	if s.tokens == nil {
		return nil
	}
	s.tokens.Reload() // what made us bind may have brought tokens
	_, err := s.bindings.bind(ctx)
	return err
}

// bind returns the events that were not bound.
func (b *bindings) bind(ctx context.Context) ([]bitrix24.Event, error) {
	s := b.s
	if s.cfg.CallbackURL == "" {
		s.cfg.Log.WarnContext(ctx, "events are not bound: set LEADSYNC_PUBLIC_URL to an address that Bitrix24 can reach", "member_id", s.memberID())
		return nil, nil
	}
	b.binding.Lock()
	defer b.binding.Unlock()
	bound, added, err := s.client.In(bitrix24.Operator).Events().Bind(ctx, s.cfg.CallbackURL)
	if err != nil {
		return nil, err
	}
	if len(added) > 0 {
		s.cfg.Log.InfoContext(ctx, "events bound", "member_id", s.memberID(), "events", added)
	}
	return added, s.cfg.Mirror.Standing.SaveBound(ctx, s.memberID(), boundLines(bound))
}

// bindOffline has the portal queue the events, and signal where it can reach us.
func (b *bindings) bindOffline(ctx context.Context) error {
	s := b.s
	b.binding.Lock()
	defer b.binding.Unlock()
	client := s.client.In(bitrix24.Operator).Events()
	bound, err := client.Bindings(ctx)
	if err != nil {
		return err
	}
	added, err := client.BindOffline(ctx, bound, s.cfg.CallbackURL)
	if err != nil || len(added) == 0 {
		return err
	}
	s.cfg.Log.InfoContext(ctx, "offline events bound", "member_id", s.memberID(), "events", len(added))
	return s.cfg.Mirror.Standing.SaveBound(ctx, s.memberID(), boundLines(append(bound, added...)))
}

// boundLines are bindings as they are stored and shown.
func boundLines(bound []bitrix24.Binding) []string {
	lines := make([]string, len(bound))
	for i, b := range bound {
		if lines[i] = string(b.Event) + " " + b.Handler; b.Offline {
			lines[i] = string(b.Event) + " offline"
		}
	}
	return lines
}

// check binds again what is no longer bound, when that is due: an update of the
// application may have removed the handlers (docs/bitrix24.md 2.1), and what happened
// meanwhile sent no callbacks.
func (b *bindings) check(ctx context.Context, now time.Time) error {
	if !now.After(b.checkAt) {
		return nil
	}
	if err := b.rebind(ctx); err != nil {
		return err
	}
	b.s.followPlan(ctx)
	b.checkAt = now.Add(b.s.cfg.scaled(checkBindings))
	return nil
}

func (b *bindings) rebind(ctx context.Context) error {
	s := b.s
	added, err := b.bind(ctx)
	if err != nil {
		return err // they were not seen to be bound
	}
	if slices.ContainsFunc(added, bitrix24.Event.IsLead) { // what an older version did not bind was not missed
		b.unreported, b.unboundAt = append(b.unreported, added...), b.seenAt
	}
	b.seenAt = s.cfg.now()
	s.queue.reopen()
	return b.reportUnbound(ctx)
}

// reportUnbound stores for how long events may not have been bound, and has all leads
// compared. What fails is done by the next check.
func (b *bindings) reportUnbound(ctx context.Context) error {
	if len(b.unreported) == 0 {
		return nil
	}
	s, from := b.s, b.unboundAt
	last, imported, err := s.cfg.Mirror.Runs.LastCompleted(ctx, s.memberID())
	if err != nil {
		return err
	}
	if !imported { // the import, which is to come, sees everything
		b.unreported = nil
		return nil
	}
	s.cfg.Log.WarnContext(ctx, "events were no longer bound, comparing all leads", "member_id", s.memberID(), "events", b.unreported)
	if from.IsZero() {
		from = last.StartedAt // they were bound then, or nothing would have been imported
	}
	if err := s.cfg.Mirror.Evidence.AddIncident(ctx, leads.Incident{
		MemberID: s.memberID(), Kind: leads.IncidentUnbound, From: from, To: b.seenAt, Detail: fmt.Sprint(b.unreported),
	}); err != nil {
		return err
	}
	if _, err := s.cfg.Mirror.Runs.RequestRun(ctx, leads.Run{MemberID: s.memberID(), Mode: leads.RunFull}); err != nil {
		return err
	}
	b.unreported = nil
	return nil
}

// followPlan has the budget follow the portal's plan. Until that is known, and where the
// portal does not say, it is the standard one.
func (s *Session) followPlan(ctx context.Context) {
	plan, err := s.client.In(bitrix24.Operator).Application().Plan(ctx)
	was := s.budget.State().Plan
	switch {
	case err != nil:
		s.cfg.Log.WarnContext(ctx, "portal's plan is not known", "member_id", s.memberID(), "followed", was.Name, "error", err)
	case plan != was:
		s.cfg.Log.InfoContext(ctx, "budget follows the portal's plan", "member_id", s.memberID(), "plan", plan.Name, "before", was.Name,
			"requests_a_second", plan.Leak, "depth", plan.Depth)
		s.budget.Follow(plan)
	}
}
