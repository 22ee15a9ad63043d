package main

import (
	"context"
	"errors"
	"time"

	"leadsync/service"
)

// deadCmd deals with notices that were given up.
type deadCmd struct {
	List   deadListCmd   `cmd:"" default:"withargs" help:"List dead letters." example:"leadsync dead --older-than 7d" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Show   deadShowCmd   `cmd:"" help:"Show dead letters with what the portal sent of the leads." example:"leadsync dead show --lead 17" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Replay deadReplayCmd `cmd:"" help:"Forget the failures and read these leads again." example:"leadsync dead replay --portal company.bitrix24.ru" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
	Drop   deadDropCmd   `cmd:"" help:"Forget dead letters." example:"leadsync dead drop --lead 17" more:"docs/trouble.md#leadsync-cannot-store-a-lead"`
}

// deadFilter chooses dead letters; all that is given must fit.
type deadFilter struct {
	Portal    string `complete:"portal" help:"Only this portal's, by its member_id or its domain."`
	Lead      int64  `help:"Only this lead's."`
	Reason    string `help:"Only those whose reason contains this text."`
	OlderThan length `placeholder:"1h" help:"Only letters whose last failure is at least this old, such as 90m or 7d."`
	JSON      bool   `name:"json" help:"Print one JSON object."`
}

type deadListCmd struct{ deadFilter }

// Run lists.
func (d deadListCmd) Run(ctx context.Context, a *app) error { return d.each(ctx, a, service.ListDead) }

type deadShowCmd struct{ deadFilter }

// Run shows payloads too.
func (d deadShowCmd) Run(ctx context.Context, a *app) error { return d.each(ctx, a, service.ShowDead) }

type deadReplayCmd struct{ deadFilter }

// Run publishes the notices again.
func (d deadReplayCmd) Run(ctx context.Context, a *app) error {
	return d.each(ctx, a, service.ReplayDead)
}

type deadDropCmd struct {
	deadFilter
	All bool `help:"Drop all dead letters; needed without another filter."`
}

// Run forgets letters and the failures counted for them.
func (d deadDropCmd) Run(ctx context.Context, a *app) error {
	if d.Portal == "" && d.Lead == 0 && d.Reason == "" && d.OlderThan == 0 && !d.All {
		return usageError{errors.New("dead drop: say which, by --portal, --lead, --reason or --older-than, or --all")}
	}
	return d.each(ctx, a, service.DropDead)
}

// each does something with every letter that fits, and reports.
func (f deadFilter) each(ctx context.Context, a *app, action service.DeadAction) error {
	return a.join(ctx, func(b *service.Backend) error {
		report, err := b.DeadLetters().Each(ctx, action, service.DeadFilter{Portal: f.Portal, Lead: f.Lead, Reason: f.Reason, OlderThan: time.Duration(f.OlderThan)}, a.wait)
		if err != nil {
			return err
		}
		return a.print(report, f.JSON)
	})
}
