package main

import (
	"fmt"
	"time"

	"leadsync/doctor"
	"leadsync/leads"
	"leadsync/service"
	"leadsync/shell"
)

// paint colours the word of a level.
func (a *app) paint(level doctor.Level, words string) string {
	colours := shell.NewColours(service.IsTerminal(a.stdout), a.lookup)
	switch level {
	case doctor.OK:
		return colours.Good(words)
	case doctor.Fault:
		return colours.Bad(words)
	default:
		return colours.Doubtful(words)
	}
}

// passView is a pass as it is printed: its report, and when it was.
type passView struct {
	leads.Summary

	DryRun      bool       `json:"dry_run"`
	TooRecent   int64      `json:"too_recent"`
	RequestedAt time.Time  `json:"requested_at"`
	StartedAt   *time.Time `json:"started_at"`  // null until it starts
	FinishedAt  *time.Time `json:"finished_at"` // null until it ends
}

func viewPass(run leads.Run) passView {
	return passView{
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

// span is a time that has passed, as people say it; "unknown" where it is 0.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "unknown"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/day)
}
