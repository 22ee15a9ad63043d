package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

type reconcileCmd struct {
	Portal string `help:"Only this portal, by its member_id; otherwise all that are active."`
	DryRun bool   `help:"Record what differs and repair nothing."`
	JSON   bool   `name:"json" help:"Print one JSON object at the end."`
}

// followEvery is how often the progress of a run is looked up.
const followEvery = 250 * time.Millisecond

// Run brings a full pass of each portal to its end: through the portal's owner where one
// is at work, else on its own.
func (r reconcileCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	b, err := openBase(ctx, cfg, newLog(a.stderr, cfg), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	portals, err := r.portals(ctx, b)
	if err != nil {
		return err
	}
	var runs []leads.Run
	for _, p := range portals {
		run, err := r.one(ctx, b, p, a.stderr)
		if err != nil {
			return fmt.Errorf("portal %s: %w", p.Domain, err)
		}
		runs = append(runs, run)
	}
	return r.report(a.stdout, runs)
}

func (r reconcileCmd) portals(ctx context.Context, b *base) ([]leads.Portal, error) {
	all, err := b.db.Portals(ctx)
	if err != nil {
		return nil, err
	}
	var chosen []leads.Portal
	for _, p := range all {
		if r.Portal == "" && p.State == leads.PortalActive || p.MemberID == r.Portal {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 && r.Portal != "" {
		return nil, usageError{fmt.Errorf("portal %s is not known here", r.Portal)}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no portal is connected yet: install the application in Bitrix24, or configure a webhook")
	}
	return chosen, nil
}

// one requests a run and works on it if nobody else does.
func (r reconcileCmd) one(ctx context.Context, b *base, portal leads.Portal, progress io.Writer) (leads.Run, error) {
	id, err := b.db.RequestRun(ctx, leads.Run{
		ID: uuid.NewString(), MemberID: portal.MemberID, Mode: leads.RunFull, DryRun: r.DryRun, RequestedAt: time.Now().UTC(),
	})
	if err != nil {
		return leads.Run{}, err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return workAlone(work, b, portal) })
	var run leads.Run
	group.Go(func() error {
		defer stop()
		run, err = follow(work, b, id, progress)
		return err
	})
	if err := group.Wait(); err != nil && !run.Finished() {
		if ctx.Err() != nil {
			return run, fmt.Errorf("stopped at lead %d; the same command goes on from there: %w", run.Checkpoint, ctx.Err())
		}
		return run, err
	}
	return run, nil
}

// workAlone does the owner's work as long as no service does: passes and the relay.
func workAlone(ctx context.Context, b *base, portal leads.Portal) error {
	topic, err := events.OpenTopic(ctx, b.js)
	if err != nil {
		return err
	}
	wake, wakened := bell()
	tally := &consumers.Tally{}
	relay := &consumers.Relay{JS: b.js, Outbox: b.db, Topic: topic, Holder: b.holder, Wake: wakened, Tally: tally, Log: b.log}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return relay.Run(ctx) })
	group.Go(func() error { return consumers.RunPasses(ctx, b.ownerConfig(tally, wake, nil), portal) })
	return group.Wait()
}

// follow prints a run's progress until it has ended and what it wrote is announced.
func follow(ctx context.Context, b *base, id string, progress io.Writer) (leads.Run, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for shown := int64(-1); ; {
		run, ok, err := b.db.Run(ctx, id)
		if err != nil {
			return run, err
		}
		if !ok {
			return run, fmt.Errorf("run %s has disappeared from leadsync_runs", id)
		}
		if run.Scanned != shown {
			shown = run.Scanned
			fmt.Fprintf(progress, "%s: %d leads compared, %d differences, %d repaired\n", run.State, run.Scanned, run.Found(), run.Repaired())
		}
		if run.Finished() {
			return run, announced(ctx, b)
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-tick.C:
		}
	}
}

// announced waits until the outbox is empty.
func announced(ctx context.Context, b *base) error {
	tick := time.NewTicker(followEvery / 5)
	defer tick.Stop()
	for {
		depth, err := b.db.OutboxDepth(ctx)
		if err != nil || depth == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// report prints the sums: one object, with "portals" where there are several.
func (r reconcileCmd) report(out io.Writer, runs []leads.Run) error {
	if err := r.print(out, runs); err != nil {
		return err
	}
	for _, run := range runs {
		if run.State != leads.RunCompleted {
			return fmt.Errorf("pass over portal %s is incomplete: %s", run.MemberID, run.Error)
		}
	}
	return nil
}

func (r reconcileCmd) print(out io.Writer, runs []leads.Run) error {
	if r.JSON {
		if len(runs) == 1 {
			return json.NewEncoder(out).Encode(runs[0].Summary())
		}
		return json.NewEncoder(out).Encode(severalReports(runs))
	}
	for _, run := range runs {
		s := run.Summary()
		_, err := fmt.Fprintf(out, `Portal %s: pass %s in %.1f s, %d requests
  %8d leads compared, %d of them right
  %8d missed by events (not in the mirror)
  %8d stale (in the mirror, but different)
  %8d phantoms (in the mirror, deleted in the portal)
  %8d unreadable (kept: the portal denies access)
  %8d rows inserted, %d updated, %d deleted
`, s.Portal, s.State, s.Seconds, s.Requests, s.Scanned, s.Unchanged, s.Missed, s.Stale, s.Phantom, s.Unreadable, s.Inserted, s.Updated, s.Deleted)
		if err != nil {
			return err
		}
	}
	return nil
}

// severalReports is the sums over all portals, and each of them.
func severalReports(runs []leads.Run) any {
	var all struct {
		leads.Summary

		Portals []leads.Summary `json:"portals"`
	}
	all.Mode, all.State = leads.RunFull, leads.RunCompleted
	for _, run := range runs {
		s := run.Summary()
		all.Portals = append(all.Portals, s)
		all.Add(s.Sums)
		all.Seconds += s.Seconds
		if run.State != leads.RunCompleted {
			all.State = run.State
		}
	}
	return all
}
