package owner

import (
	"context"
	"errors"
	"math"
	"time"

	"leadsync/leads"
)

const (
	upkeepEvery = 5 * time.Second
	// keepAliveEvery is how often the owner looks whether tokens would die unused.
	keepAliveEvery = 12 * time.Hour
	// budgetAge is how old the stored state of the budget may become.
	budgetAge = time.Minute
)

// upkeep does what has to be done from time to time: see that the events are still bound,
// keep idle tokens alive, store how the budget stands. Only one goroutine calls it.
type upkeep struct {
	s *Session

	keepAliveAt time.Time
	budget      leads.Budget // as it is stored
	budgetAt    time.Time
	readAt      time.Time // the read that bitrix_lead_runtime has
}

func (u *upkeep) do(ctx context.Context) error {
	now := time.Now()
	if err := errors.Join(u.saveBudget(ctx, now), u.noteRead(ctx)); err != nil {
		return err
	}
	if u.s.tokens == nil {
		return nil
	}
	if err := u.s.bindings.check(ctx, now); err != nil {
		return err
	}
	if err := u.s.heartbeat.check(ctx, now); err != nil {
		return err
	}
	if now.After(u.keepAliveAt) {
		if err := u.s.tokens.KeepAlive(ctx); err != nil {
			return err
		}
		u.keepAliveAt = now.Add(keepAliveEvery)
	}
	return nil
}

// saveBudget lets other processes see how the budget stands, when that has changed.
func (u *upkeep) saveBudget(ctx context.Context, now time.Time) error {
	s := u.s.client.State().Budget
	b := leads.Budget{Level: math.Round(s.Level), Depth: s.Depth, Plan: s.Plan.Name, Share: s.Share, Refusals: s.Refusals}
	if b == u.budget && !u.budgetAt.Before(now.Add(-budgetAge)) {
		return nil
	}
	if err := u.s.cfg.Mirror.Portals.SaveBudget(ctx, u.s.memberID(), u.s.own.Epoch, b); err != nil {
		return err
	}
	u.budget, u.budgetAt = b, now
	return nil
}

// noteRead keeps the time of the last read for the reports that ask for it.
func (u *upkeep) noteRead(ctx context.Context) error {
	unix := u.s.readAt.Load()
	read := time.UnixMilli(unix)
	if unix == 0 || !read.After(u.readAt) {
		return nil
	}
	if err := u.s.cfg.Mirror.Reports.TouchLeadGet(ctx, read); err != nil {
		return err
	}
	u.readAt = read
	return nil
}
