package service

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"leadsync/leads"
	"leadsync/repo"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 2 * time.Second

// Progress shows how far a pass has come: a bar on a terminal, lines elsewhere.
type Progress struct {
	out   io.Writer
	total int64 // leads, as the mirror has them; 0 unknown
	bar   *progressbar.ProgressBar

	last    leads.Run
	problem string
	waits   string // what was said last of what is waited for
	began   time.Time
	printed time.Time
}

// NewProgress shows a pass over that many leads; 0 is unknown.
func NewProgress(out io.Writer, total int64, mode leads.RunMode) *Progress {
	p := &Progress{out: out, total: total, began: time.Now()}
	if mode == leads.RunChanged {
		p.total = 0 // nobody knows how much was changed
	}
	if IsTerminal(out) {
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
func (p *Progress) show(run leads.Run) {
	defer p.wait(p.waitsFor(run))
	if p.bar != nil {
		p.draw(run)
		return
	}
	news := run.State != p.last.State || run.Scanned != p.last.Scanned
	if !news || run.State == p.last.State && !run.Finished() && time.Since(p.printed) < plainEvery {
		return
	}
	p.last, p.printed = run, time.Now()
	fmt.Fprintf(p.out, "%s: %s compared%s, %s, %d repaired%s\n",
		run.State, leads.Amount(run.Scanned, "lead"), p.of(run), leads.Amount(run.Found(), "difference"), run.Repaired(), p.remaining(run))
}

// waitsFor says what a pass waits for while nothing else happens; "" is nothing.
func (p *Progress) waitsFor(run leads.Run) string {
	switch {
	case run.State == leads.RunRequested && time.Since(p.began) > plainEvery:
		return "The pass is requested and has not begun: waiting for the portal's owner."
	case run.State == leads.RunRunning && run.Checkpoint >= leads.MaxID && run.Phantom > 0 && !run.DryRun:
		return fmt.Sprintf("All leads are compared. The portal lacks %s of the mirror: waiting a minute before asking again, because only a second \"Not found\" counts as deleted.",
			leads.Amount(run.Phantom, "lead"))
	}
	return ""
}

// wait says what is waited for, once for each reason.
func (p *Progress) wait(words string) {
	if words != "" && words != p.waits {
		p.say(words)
	}
	p.waits = words
}

// say prints a line, below the bar where there is one.
func (p *Progress) say(words string) {
	if p.bar != nil {
		words = "\n" + words
	}
	fmt.Fprintln(p.out, words)
}

// warn says why the pass may not get on, once for each reason.
func (p *Progress) warn(problem string) {
	if problem != "" && problem != p.problem {
		p.say("The portal has a problem, the pass waits: " + problem)
	}
	p.problem = problem
}

func (p *Progress) draw(run leads.Run) {
	if p.total > 0 && run.Scanned > p.total {
		p.bar.ChangeMax64(run.Scanned)
	}
	p.bar.Describe(fmt.Sprintf("%s, %s, %d repaired", run.State, leads.Amount(run.Found(), "difference"), run.Repaired()))
	_ = p.bar.Set64(run.Scanned) // a terminal that is gone is no failure of the pass
	if run.Finished() {
		_ = p.bar.Finish()
	}
}

func (p *Progress) of(run leads.Run) string {
	if p.total == 0 || run.Finished() {
		return ""
	}
	return fmt.Sprintf(" of about %d", max(p.total, run.Scanned))
}

// remaining is the rate so far and the time that is left at it.
func (p *Progress) remaining(run leads.Run) string {
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

// Steps says how far the work on an adopted database has come: each step when it begins, and then
// every few seconds.
type Steps struct {
	waiting *Waiting
	step    string
}

// NewSteps says it by waiting.
func NewSteps(waiting *Waiting) *Steps { return &Steps{waiting: waiting} }

// Show is called again and again with the work as it stands.
func (s *Steps) Show(p repo.Progress) {
	words := p.Step
	switch {
	case p.Done == 0:
	case p.Total == 0:
		words = fmt.Sprintf("%s: %s", p.Step, leads.Amount(p.Done, "row"))
	default:
		words = fmt.Sprintf("%s: %d of %s, %d %%", p.Step, p.Done, leads.Amount(p.Total, "row"), 100*p.Done/p.Total)
	}
	if p.Step == s.step && p.Done != p.Total {
		s.waiting.Update(words)
		return
	}
	s.step = p.Step
	s.waiting.Step(words)
}
