package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"leadsync/leads"
	"leadsync/service"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 2 * time.Second

// progress shows how far a pass has come: a bar on a terminal, lines elsewhere.
type progress struct {
	out   io.Writer
	total int64 // leads, as the mirror has them; 0 unknown
	bar   *progressbar.ProgressBar

	last    leads.Run
	problem string
	printed time.Time
}

func newProgress(out io.Writer, total int64, mode leads.RunMode) *progress {
	p := &progress{out: out, total: total}
	if mode == leads.RunChanged {
		p.total = 0 // nobody knows how much was changed
	}
	if service.IsTerminal(out) {
		size := p.total
		if size == 0 {
			size = -1
		}
		p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("leads"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(followEvery), progressbar.OptionClearOnFinish())
	}
	return p
}

// show is called again and again with the run as it stands.
func (p *progress) show(run leads.Run) {
	if p.bar != nil {
		p.draw(run)
		return
	}
	news := run.State != p.last.State || run.Scanned != p.last.Scanned
	if !news || run.State == p.last.State && !run.Finished() && time.Since(p.printed) < plainEvery {
		return
	}
	p.last, p.printed = run, time.Now()
	fmt.Fprintf(p.out, "%s: %d leads compared%s, %d differences, %d repaired%s\n",
		run.State, run.Scanned, p.of(run), run.Found(), run.Repaired(), p.remaining(run))
}

// warn says why the pass may not get on, once for each reason.
func (p *progress) warn(problem string) {
	if problem != "" && problem != p.problem {
		fmt.Fprintf(p.out, "\nThe portal has a problem, the pass waits: %s\n", problem)
	}
	p.problem = problem
}

func (p *progress) draw(run leads.Run) {
	if p.total > 0 && run.Scanned > p.total {
		p.bar.ChangeMax64(run.Scanned)
	}
	p.bar.Describe(fmt.Sprintf("%s, %d differences, %d repaired", run.State, run.Found(), run.Repaired()))
	_ = p.bar.Set64(run.Scanned) // a terminal that is gone is no failure of the pass
	if run.Finished() {
		_ = p.bar.Finish()
	}
}

func (p *progress) of(run leads.Run) string {
	if p.total == 0 || run.Finished() {
		return ""
	}
	return fmt.Sprintf(" of about %d", max(p.total, run.Scanned))
}

// remaining is the rate so far and the time that is left at it.
func (p *progress) remaining(run leads.Run) string {
	if run.StartedAt.IsZero() || run.Finished() || run.Scanned == 0 {
		return ""
	}
	rate := float64(run.Scanned) / max(time.Since(run.StartedAt).Seconds(), 1)
	words := fmt.Sprintf(", %.0f a second", rate)
	if p.total > run.Scanned {
		left := time.Duration(float64(p.total-run.Scanned) / rate * float64(time.Second))
		words += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	return words
}
