package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

type reconcileCmd struct {
	Pass     passCmd     `cmd:"" default:"withargs" help:"Compare portal and mirror, and repair what differs." example:"leadsync reconcile --dry-run" more:"docs/reconciliation.md"`
	History  historyCmd  `cmd:"" help:"List past passes." example:"leadsync reconcile history --limit 5" more:"docs/reconciliation.md"`
	Findings findingsCmd `cmd:"" help:"List what a pass found, and why." example:"leadsync reconcile findings last" more:"docs/reconciliation.md"`
}

type passCmd struct {
	Portal     string `help:"Only this portal, by its member_id or its domain; otherwise all that are active."`
	Changed    bool   `help:"Only leads that were changed since the pass before."`
	DryRun     bool   `help:"Record what differs and repair nothing."`
	MaxDeletes int64  `help:"Allow up to N deletions in this pass (otherwise leadsync stops above 100 and 2 %)." placeholder:"N"`
	Resume     bool   `help:"Continue the paused pass." xor:"begin"`
	Restart    bool   `help:"Give up a pass that is under way or paused, and begin a new one." xor:"begin"`
	JSON       bool   `name:"json" help:"Print one JSON object at the end."`
}

// Run brings a pass of each portal to its end: through the portal's owner where one is
// at work, else on its own.
func (r passCmd) Run(ctx context.Context, a *app) error {
	return a.join(ctx, func(b *service.Backend) error {
		portals, err := r.portals(ctx, b)
		if err != nil {
			return err
		}
		var runs []leads.Run
		for _, p := range portals {
			run, err := r.one(ctx, b, p, a.progress())
			if err != nil {
				return fmt.Errorf("portal %s: %w", p.Domain, err)
			}
			runs = append(runs, run)
		}
		return r.report(a.stdout, leads.HostsOf(portals), runs)
	})
}

func (r passCmd) portals(ctx context.Context, b *service.Backend) ([]leads.Portal, error) {
	if r.Portal != "" {
		portal, err := findPortal(ctx, b.DB, r.Portal)
		return []leads.Portal{portal}, err
	}
	all, err := b.DB.Portals(ctx)
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

func (r passCmd) mode() leads.RunMode {
	if r.Changed {
		return leads.RunChanged
	}
	return leads.RunFull
}

// one requests a run and works on it if nobody else does. Being stopped pauses it.
func (r passCmd) one(ctx context.Context, b *service.Backend, portal leads.Portal, out io.Writer) (leads.Run, error) {
	id, err := r.begin(ctx, b, portal.MemberID, out)
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
		run, err = b.Passes().Follow(work, id, service.NewProgress(out, total, r.mode()))
		return err
	})
	err = group.Wait()
	if ctx.Err() != nil && !run.Finished() {
		return run, r.pause(ctx, b, id)
	}
	if errors.Is(err, repo.ErrOtherRules) {
		return run, r.withdraw(ctx, b, run, err)
	}
	if err != nil && !run.Finished() {
		return run, err
	}
	return run, nil
}

// withdraw takes back a run that this command requested and must not work on.
func (r passCmd) withdraw(ctx context.Context, b *service.Backend, run leads.Run, why error) error {
	if run.State == leads.RunRequested {
		if _, err := b.DB.StopRun(ctx, run.ID, leads.RunIncomplete, why.Error()); err != nil {
			return err
		}
	}
	return usageError{fmt.Errorf("%w: give this command the settings that the service has, or let the service run the pass", why)}
}

// begin returns the run to follow: a new one, the paused one, or one that is under way.
func (r passCmd) begin(ctx context.Context, b *service.Backend, memberID string, out io.Writer) (string, error) {
	id, err := b.Passes().Request(ctx, service.PassRequest{
		MemberID: memberID, Mode: r.mode(), DryRun: r.DryRun, MaxDeletes: r.MaxDeletes, Resume: r.Resume, Restart: r.Restart,
	}, func(note string) { fmt.Fprintln(out, note) })
	if errors.Is(err, service.ErrNotThatPass) {
		return "", usageError{err}
	}
	return id, err
}

// pauseLimit is how long pausing may take after Ctrl-C.
const pauseLimit = 5 * time.Second

// pause stops the run at its checkpoint and says how to go on. It returns an error,
// because what was asked for is not done.
func (r passCmd) pause(ctx context.Context, b *service.Backend, id string) error {
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
	if r.Changed {
		flags = " --changed"
	}
	if r.DryRun {
		flags += " --dry-run"
	}
	return fmt.Errorf("paused at lead %d, %s compared, %s so far; go on with: leadsync reconcile%s --resume",
		run.Checkpoint, leads.Amount(run.Scanned, "lead"), leads.Amount(run.Found(), "difference"), flags)
}

// report prints the sums: one object, with "portals" where there are several. What needs
// a person is an error: the exit code is 1.
func (r passCmd) report(out io.Writer, named leads.Hosts, runs []leads.Run) error {
	if err := r.print(out, named, runs); err != nil {
		return err
	}
	var errs []error
	for _, run := range runs {
		switch {
		case run.State != leads.RunCompleted:
			errs = append(errs, fmt.Errorf("pass over portal %s is incomplete: %s", named.Of(run.MemberID), run.Error))
		case run.Error != "":
			errs = append(errs, fmt.Errorf("portal %s: %s", named.Of(run.MemberID), run.Error))
		}
	}
	return errors.Join(errs...)
}

func (r passCmd) print(out io.Writer, named leads.Hosts, runs []leads.Run) error {
	if r.JSON {
		if len(runs) == 1 {
			return json.NewEncoder(out).Encode(viewPass(runs[0]))
		}
		return json.NewEncoder(out).Encode(severalReports(runs))
	}
	for _, run := range runs {
		if _, err := io.WriteString(out, passText(run, named.Of(run.MemberID))); err != nil {
			return err
		}
	}
	return nil
}

// passText is a pass as people read it. Its numbers add up to the leads that were compared.
func passText(run leads.Run, portal string) string {
	var text strings.Builder
	s, what := run.Summary(), "pass"
	if run.DryRun {
		what = "dry run"
	}
	fmt.Fprintf(&text, "Portal %s: %s %s in %.1f s, %s, %d of them refused by a limit\n", portal, what, s.State, s.Seconds, leads.Amount(s.Requests, "request"), s.Refused)
	line := func(n int64, words string) { fmt.Fprintf(&text, "  %8d %s\n", n, words) }
	line(s.Scanned, fmt.Sprintf("%s compared, %d of them right", leads.Noun(s.Scanned, "lead"), s.Unchanged))
	if n := s.TooRecent(); n > 0 {
		line(n, "not counted (changed less than a minute ago: events may still bring them)")
	}
	if s.Failing > 0 {
		line(s.Failing, "not counted, and cannot be stored (leadsync tries them again: leadsync dead list has those given up)")
	}
	line(s.Missed, "missed by events (not in the mirror)")
	line(s.Stale, "stale (in the mirror, but different)")
	line(s.Phantom, leads.Noun(s.Phantom, "phantom")+" (in the mirror, deleted in the portal)")
	line(s.Unreadable, "unreadable (kept: the portal denies access)")
	line(s.Unprocessable, "unprocessable (kept: the portal's answer cannot be used)")
	if run.DryRun {
		text.WriteString("Nothing was repaired: this was a dry run.\n")
	} else {
		line(s.Inserted, fmt.Sprintf("%s inserted, %d updated, %d deleted", leads.Noun(s.Inserted, "row"), s.Updated, s.Deleted))
	}
	if run.Found() > 0 {
		fmt.Fprintf(&text, "Each difference and its likely cause: leadsync reconcile findings %s\n", run.ID)
	}
	return text.String()
}

// severalReports is the sums over all portals, and each of them.
func severalReports(runs []leads.Run) any {
	var all struct {
		leads.Summary

		TooRecent int64      `json:"too_recent"`
		Portals   []passView `json:"portals"`
	}
	all.Mode, all.State = runs[0].Mode, leads.RunCompleted
	for _, run := range runs {
		v := viewPass(run)
		all.Portals = append(all.Portals, v)
		all.Add(v.Sums)
		all.TooRecent += v.TooRecent
		all.Seconds += v.Seconds
		if run.State != leads.RunCompleted {
			all.State = run.State
		}
	}
	return all
}
