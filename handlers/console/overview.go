package console

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"leadsync/leads"
)

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

func (c *Console) overview(r *http.Request) (view, error) {
	o, err := c.cfg.Status.Overview(r.Context())
	if err != nil {
		return view{}, err
	}
	d := judge(o, spanOf(r))
	d.trend = sync.OnceValue(func() Trend { return c.cfg.Status.Trend(d.Span.span, d.Span.step) })
	return view{page: "overview", data: d}, nil
}

// read is the overview for pages that list something of each portal: where portals could not be
// read they fail, because an empty list would say that there is nothing.
func (c *Console) read(ctx context.Context) (Overview, error) {
	o, err := c.cfg.Status.Overview(ctx)
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
	return end.Sub(run.StartedAt).Round(time.Second)
}
