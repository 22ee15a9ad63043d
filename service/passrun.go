package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

// Reconcile brings a pass of each portal to its end: through the portal's owner where one is
// at work, else here. With a portal's name it is that one's pass alone.
func (b *Backend) Reconcile(ctx context.Context, name string, r PassRequest, wait *Waiting) (reconcile.Reports, error) {
	portals, err := portalsToRead(ctx, b.DB, name)
	if err != nil {
		return reconcile.Reports{}, err
	}
	reports := reconcile.Reports{Hosts: leads.HostsOf(portals)}
	for _, p := range portals {
		r.MemberID = p.MemberID
		run, err := b.pass(ctx, p, r, wait.Progress())
		if err != nil {
			return reports, fmt.Errorf("portal %s: %w", p.Domain, err)
		}
		reports.Runs = append(reports.Runs, run)
	}
	return reports, nil
}

// portalsToRead are the portal of that name, or with "" all that are active.
func portalsToRead(ctx context.Context, db *repo.DB, name string) ([]leads.Portal, error) {
	if name != "" {
		portal, err := FindPortal(ctx, db, name)
		return []leads.Portal{portal}, err
	}
	all, err := db.Portals(ctx)
	if err != nil {
		return nil, err
	}
	var chosen []leads.Portal
	for _, p := range all {
		if p.State == leads.PortalActive {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no portal is connected yet: install the application in Bitrix24, or configure a webhook")
	}
	return chosen, nil
}

// pass requests a run and works on it if nobody else does. Being stopped pauses it.
func (b *Backend) pass(ctx context.Context, portal leads.Portal, r PassRequest, out io.Writer) (leads.Run, error) {
	id, err := b.Passes().Request(ctx, r, func(note string) { fmt.Fprintln(out, note) })
	if errors.Is(err, ErrNotThatPass) {
		err = UsageError{err}
	}
	if err != nil {
		return leads.Run{}, err
	}
	total, err := b.DB.CountLeads(ctx, portal.MemberID)
	if err != nil {
		return leads.Run{}, err
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return b.WorkAlone(work, portal) })
	var run leads.Run
	group.Go(func() error {
		defer stop()
		run, err = b.Passes().Follow(work, id, NewProgress(out, total, r.Mode))
		return err
	})
	err = group.Wait()
	if ctx.Err() != nil && !run.Finished() {
		return run, b.pause(ctx, id, r)
	}
	if errors.Is(err, repo.ErrOtherRules) {
		return run, b.withdraw(ctx, run, err)
	}
	if err != nil && !run.Finished() {
		return run, err
	}
	return run, nil
}

// withdraw takes back a run that was requested here and must not be worked on here.
func (b *Backend) withdraw(ctx context.Context, run leads.Run, why error) error {
	if run.State == leads.RunRequested {
		if _, err := b.DB.StopRun(ctx, run.ID, leads.RunIncomplete, why.Error()); err != nil {
			return err
		}
	}
	return UsageError{fmt.Errorf("%w: give this command the settings that the service has, or let the service run the pass", why)}
}

// pauseLimit is how long pausing may take after Ctrl-C.
const pauseLimit = 5 * time.Second

// pause stops the run at its checkpoint and says how to go on. It returns an error,
// because what was asked for is not done.
func (b *Backend) pause(ctx context.Context, id string, r PassRequest) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pauseLimit)
	defer cancel()
	if _, err := b.DB.StopRun(ctx, id, leads.RunPaused, ""); err != nil {
		return err
	}
	run, _, err := b.DB.Run(ctx, id)
	if err != nil {
		return err
	}
	flags := ""
	if r.Mode == leads.RunChanged {
		flags = " --changed"
	}
	if r.DryRun {
		flags += " --dry-run"
	}
	return fmt.Errorf("paused at lead %d, %s compared, %s so far; go on with: leadsync reconcile%s --resume",
		run.Checkpoint, leads.Amount(run.Scanned, "lead"), leads.Amount(run.Found(), "difference"), flags)
}
