package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"leadsync/leads"
)

// Status says how everything stands.
type Status interface {
	Overview(ctx context.Context) (Overview, error)
	// Trend is how things went in a span until now, in steps.
	Trend(span, step time.Duration) Trend
}

// Overview is how everything stands.
type Overview struct {
	At       time.Time
	Problems map[string]string // by component, in words; empty is well
	Notes    map[string]string
	Portals  []PortalStatus
	Unread   error // why the portals could not be read, and Portals may lack some; nil where they were
	Spooled  int   // callbacks that wait on disk
	Notices  int64 // that wait to be read
	Outbox   int64 // changes that wait to be announced
	Dead     int64 // dead letters
	Failing  int64 // leads that cannot be stored: those that are tried again, and those given up
	Received int64 // callbacks since the process started
	Lost     int64
	Lag      Point // the last hour
	Rate     Point // the last minutes
	// Changed is when the newest change of a lead was written; zero where none is known.
	Changed time.Time
}

// PortalStatus is how a portal stands.
type PortalStatus struct {
	MemberID, Domain string
	State            leads.PortalState
	Mirror           leads.MirrorStatus // State is "" where nothing is known yet
	Leads            int64              // rows; -1 where it is not known
	Waiting          time.Time          // since when the oldest notice waits; zero where none does
	Notices          int64              // that wait to be read; -1 where it is not known
	Missed           Missed             // in 30 days
	Lag              Point              // the last hour; of the rows that this process has written
	Rate             Point              // the last minutes; of the callbacks that this process has received
	Budget           leads.Budget
	Operating        Operating  // zero where another process serves the portal
	Last             *leads.Run // the newest that has ended
	Running          *leads.Run // that is under way, requested or paused
	Next             time.Time  // when the next full pass begins; zero where none will
}

// Operating is the operating time of the REST method that has used the most of it.
type Operating struct {
	Method      string
	Used, Limit float64 // seconds within ten minutes
}

// Missed is what passes found that events had not brought.
type Missed struct {
	Known    bool
	Found    int64 // differences
	Compared int64 // leads, each as often as a pass compared it
}

// Percent is how many of a hundred comparisons found a difference.
func (m Missed) Percent() float64 {
	if m.Compared == 0 {
		return 0
	}
	return 100 * float64(m.Found) / float64(m.Compared)
}

// overviewPages are the first page and its charts.
type overviewPages struct {
	status Status
	log    *slog.Logger
}

func (p overviewPages) routes() map[string]route {
	return map[string]route{
		"GET /{$}":           find(p.overview),
		"GET /live/overview": stream{"overview", p.overview},
		"GET /charts/{name}": file(p.chart),
	}
}

// overviewData is what the first page shows.
type overviewData struct {
	Overview

	Worst leads.MirrorState // of all portals; "" where there is none, or nothing is known
	// NotCurrent is how many portals are not current.
	NotCurrent int
	Charts     []chart
	Span       chartSpan
	Spans      []chartSpan

	trend func() Trend // found where charts are shown: not in what is live
}

// Alt says in words what a chart shows last, for those who do not see it.
func (d overviewData) Alt(lang string, k chart) string { return k.words(lang, d.trend()) }

func (p overviewPages) overview(r *http.Request) (view, error) {
	o, err := p.status.Overview(r.Context())
	if err != nil {
		return view{}, err
	}
	d := judge(o, spanOf(r))
	d.trend = sync.OnceValue(func() Trend { return p.status.Trend(d.Span.span, d.Span.step) })
	return view{page: "overview", data: d}, nil
}

// readPortals is the overview for pages that list something of each portal: where portals could not
// be read they fail, because an empty list would say that there is nothing.
func readPortals(ctx context.Context, status Status) (Overview, error) {
	o, err := status.Overview(ctx)
	return o, errors.Join(err, o.Unread)
}

// judge finds the sentence for all portals.
func judge(o Overview, span chartSpan) overviewData {
	d := overviewData{Overview: o, Charts: chartKinds, Span: span, Spans: chartSpans}
	order := map[leads.MirrorState]int{leads.MirrorCurrent: 1, leads.MirrorBehind: 2, leads.MirrorBlind: 3}
	for _, p := range o.Portals {
		if p.State != leads.PortalActive {
			continue
		}
		if p.Mirror.State != leads.MirrorCurrent {
			d.NotCurrent++
		}
		if order[p.Mirror.State] > order[d.Worst] {
			d.Worst = p.Mirror.State
		}
	}
	return d
}

// Percent is how far a run has come, from 0 to 100; -1 where nobody can know.
func Percent(run leads.Run, total int64) int {
	if total <= 0 || run.Mode == leads.RunChanged || run.Scanned <= 0 {
		return -1
	}
	return int(min(100, run.Scanned*100/total))
}

// Percent is how far the pass that is under way has come.
func (p PortalStatus) Percent() int {
	if p.Running == nil {
		return -1
	}
	return Percent(*p.Running, p.Leads)
}

// Active tells portals that are read.
func (p PortalStatus) Active() bool { return p.State == leads.PortalActive }

// BudgetKnown tells whether an owner has noted the portal's budget.
func (p PortalStatus) BudgetKnown() bool { return !p.Budget.At.IsZero() && p.Budget.Depth > 0 }

// took is how long a run took, or has been running.
func took(run leads.Run, now time.Time) time.Duration {
	end := run.FinishedAt
	if end.IsZero() {
		end = now
	}
	if run.StartedAt.IsZero() || end.Before(run.StartedAt) {
		return 0
	}
	return max(end.Sub(run.StartedAt).Round(time.Second), time.Second) // less is not shown
}
