package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"leadsync/leads"
)

// Reports are passes over several portals, as a person or a program reads them.
type Reports struct {
	Runs  []leads.Run
	Hosts leads.Hosts // of their portals
}

// Report is a pass as programs read it: its sums, and when it was.
type Report struct {
	leads.Summary

	DryRun      bool       `json:"dry_run"`
	TooRecent   int64      `json:"too_recent"`
	RequestedAt time.Time  `json:"requested_at"`
	StartedAt   *time.Time `json:"started_at"`  // null until it starts
	FinishedAt  *time.Time `json:"finished_at"` // null until it ends
}

func reportOf(run leads.Run) Report {
	return Report{
		Summary: run.Summary(), DryRun: run.DryRun, TooRecent: run.TooRecent(), RequestedAt: run.RequestedAt,
		StartedAt: unlessZero(run.StartedAt), FinishedAt: unlessZero(run.FinishedAt),
	}
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// MarshalJSON implements json.Marshaler: one object, with "portals" where there are several.
func (r Reports) MarshalJSON() ([]byte, error) {
	if len(r.Runs) == 1 {
		return json.Marshal(reportOf(r.Runs[0]))
	}
	return json.Marshal(r.sums())
}

// sums is the sums over all portals, and each of them.
func (r Reports) sums() any {
	var all struct {
		leads.Summary

		TooRecent int64    `json:"too_recent"`
		Portals   []Report `json:"portals"`
	}
	all.Mode, all.State = r.Runs[0].Mode, leads.RunCompleted
	for _, run := range r.Runs {
		one := reportOf(run)
		all.Portals = append(all.Portals, one)
		all.Add(one.Sums)
		all.TooRecent += one.TooRecent
		all.Seconds += one.Seconds
		if run.State != leads.RunCompleted {
			all.State = run.State
		}
	}
	return all
}

// WriteText writes them as people read them.
func (r Reports) WriteText(out io.Writer) error {
	for _, run := range r.Runs {
		if _, err := io.WriteString(out, passText(run, r.Hosts.Of(run.MemberID))); err != nil {
			return err
		}
	}
	return nil
}

// Err is what needs a person: passes that are incomplete, and alarms.
func (r Reports) Err() error {
	var errs []error
	for _, run := range r.Runs {
		switch {
		case run.State != leads.RunCompleted:
			errs = append(errs, fmt.Errorf("pass over portal %s is incomplete: %s", r.Hosts.Of(run.MemberID), run.Error))
		case run.Error != "":
			errs = append(errs, fmt.Errorf("portal %s: %s", r.Hosts.Of(run.MemberID), run.Error))
		}
	}
	return errors.Join(errs...)
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
