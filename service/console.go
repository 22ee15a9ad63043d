package service

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/leads"
)

// newConsole makes the operators' pages.
func (s *Service) newConsole() *console.Console {
	b := s.Backend
	d := &desk{s: s}
	s.desk = d
	s.jobs = newJobs()
	return console.New(console.Config{
		Status: d, Passes: d, Leads: b.DB, Stories: storyDesk{s}, Letters: &deadDesk{b: b}, Portals: &portalDesk{b: b, jobs: s.jobs, counts: &d.counts}, Refusals: s.refusals, Doctor: &doctorDesk{b: b, jobs: s.jobs}, Settings: b.Config.InForce,
		About: func() []console.Setting { return about(b) }, Now: b.Config.Now,
		PhoneRegion: b.DB.PhoneRegion(), PublicURL: b.Config.PublicURL, Version: leads.Version(), Log: b.Log,
	})
}

// refusals are what the pages show of installations and log-ins that were refused.
func (s *Service) refusals() (list []console.Refusal) {
	for _, r := range s.Portals.Refusals() {
		list = append(list, console.Refusal{At: r.At, Count: r.Count, MemberID: r.MemberID, Host: r.Host, Reason: r.Reason.String(), Detail: r.Err})
	}
	return list
}

// desk is what the pages know and do of the state of things and of passes.
type desk struct {
	s *Service

	overview kept[console.Overview]
	counts   caches[int64] // of leads, by portal
	failing  cache[int64]
	missed   caches[console.Missed]
}

// overviewAge is how old an overview may be: many pages may be open, and each is live.
const overviewAge = time.Second

// Overview implements console.Status.
func (d *desk) Overview(ctx context.Context) (console.Overview, error) {
	return d.overview.get(ctx, overviewAge, d.look)
}

const (
	// lagSpan and rateSpan are for how long back lags and callbacks a minute are told.
	lagSpan  = time.Hour
	rateSpan = 5 * time.Minute
)

// Trend implements console.Status.
func (d *desk) Trend(span, step time.Duration) console.Trend {
	return d.s.sampler.samples.trend(span, step)
}

// look finds how everything stands. Without the database it still says what fails.
func (d *desk) look(ctx context.Context) (console.Overview, error) {
	s, b := d.s, d.s.Backend
	o := console.Overview{
		At: b.Config.Now(), Problems: s.ready.problems(ctx), Notes: s.ready.notes(), Spooled: s.intake.Waiting().Entries,
		Received: s.Portals.Stats.Received.Load(), Lost: s.intake.Lost.Load(),
	}
	o.Lag, o.Rate = s.sampler.samples.recent(lagSpan), s.sampler.samples.recent(rateSpan)
	if bus := b.NATS.Bus(); bus != nil {
		o.Notices, _ = events.Depth(ctx, bus, events.StreamNotices) // NATS has a problem of its own then
		o.Dead, _ = events.Depth(ctx, bus, events.StreamDead)
	}
	if n, err := d.failing.get(ctx, d.countFailing); err == nil {
		o.Failing = n
	}
	if n, err := s.outboxDepth.get(ctx, b.DB.OutboxDepth); err == nil {
		o.Outbox = n
	}
	if at, err := b.DB.LastChange(ctx); err == nil {
		o.Changed = at
	}
	portals, err := b.DB.Portals(ctx)
	if err != nil {
		return d.without(o, err)
	}
	mirrors, err := b.DB.MirrorStatuses(ctx)
	if err != nil {
		return d.without(o, err)
	}
	for _, p := range portals {
		status, err := d.portal(ctx, p, mirrors)
		if err != nil {
			return d.without(o, err)
		}
		o.Portals = append(o.Portals, status)
	}
	return o, nil
}

// countFailing counts the leads of all portals that cannot be stored.
func (d *desk) countFailing(ctx context.Context) (n int64, err error) {
	db := d.s.Backend.DB
	portals, err := db.Portals(ctx)
	for _, p := range portals {
		failing, err := db.Failing(ctx, p.MemberID)
		if err != nil {
			return 0, err
		}
		n += int64(len(failing))
	}
	return n, err
}

// without is an overview where the database does not answer: its problem is shown.
func (d *desk) without(o console.Overview, err error) (console.Overview, error) {
	if o.Problems["database"] == "" {
		return o, err
	}
	o.Unread = err
	return o, nil
}

// recentRuns is how many runs are looked through for the last one and one that is under way.
const recentRuns = 20

func (d *desk) portal(ctx context.Context, p leads.Portal, mirrors []leads.MirrorStatus) (console.PortalStatus, error) {
	b := d.s.Backend
	v := console.PortalStatus{MemberID: p.MemberID, Domain: cmp.Or(p.Domain, p.MemberID), State: p.State, Leads: -1, Notices: -1}
	v.Lag, v.Rate = d.s.sampler.samples.recentOf(p.MemberID, lagSpan), d.s.sampler.samples.recentOf(p.MemberID, rateSpan)
	for _, m := range mirrors {
		if m.MemberID == p.MemberID {
			v.Mirror = m
		}
	}
	for _, owned := range d.s.ready.statuses() {
		if owned.MemberID == p.MemberID {
			v.Waiting, v.Operating = owned.Waiting, busiest(owned.Client.Methods)
		}
	}
	standing, _, err := b.DB.Standing(ctx, p.MemberID)
	if err != nil {
		return v, err
	}
	v.Budget = standing.Budget
	if n, err := d.counts.of(p.MemberID).lately(ctx, func(ctx context.Context) (int64, error) { return b.DB.CountLeads(ctx, p.MemberID) }); err == nil {
		v.Leads = n
	}
	if bus := b.NATS.Bus(); bus != nil && p.State == leads.PortalActive {
		if n, err := events.Pending(ctx, bus, p.MemberID); err == nil {
			v.Notices = int64(n)
		}
	}
	if missed, err := d.missed.of(p.MemberID).lately(ctx, func(ctx context.Context) (console.Missed, error) { return d.missedBy(ctx, p.MemberID) }); err == nil {
		v.Missed = missed
	}
	runs, err := b.DB.Runs(ctx, p.MemberID, recentRuns)
	if err != nil {
		return v, err
	}
	v.Last, v.Running = newest(runs)
	if at := b.Config.ReconcileAt; at != nil && p.State == leads.PortalActive {
		v.Next = at.Next(b.Config.Now())
	}
	return v, nil
}

// busiest is the method that has used the most of its operating time.
func busiest(methods map[string]bitrix24.MethodState) (most console.Operating) {
	for _, method := range slices.Sorted(maps.Keys(methods)) {
		if m := methods[method]; m.Limit > 0 && m.Used/m.Limit > most.Used/max(most.Limit, 1) {
			most = console.Operating{Method: method, Used: m.Used, Limit: m.Limit}
		}
	}
	return most
}

const (
	// missedSpan is for how long back is told what events missed.
	missedSpan = 30 * 24 * time.Hour
	// missedRuns are more runs than a portal has in that time, unless catch-ups were set to every minute.
	missedRuns = 5000
)

// missedBy sums up what passes found that events had not brought. An import finds everything, and
// a dry run what another pass finds again.
func (d *desk) missedBy(ctx context.Context, memberID string) (m console.Missed, err error) {
	runs, err := d.s.Backend.DB.Runs(ctx, memberID, missedRuns)
	since := d.s.Backend.Config.Now().Add(-missedSpan)
	for i := range runs {
		if run := &runs[i]; run.State == leads.RunCompleted && run.Mode != leads.RunImport && !run.DryRun && run.FinishedAt.After(since) {
			m.Known, m.Found, m.Compared = true, m.Found+run.Found(), m.Compared+run.Scanned
		}
	}
	return m, err
}

// newest are the newest run that has ended, and the newest that has not, where that is the
// newer one.
func newest(runs []leads.Run) (ended, open *leads.Run) {
	for i := range runs {
		run := &runs[i]
		switch {
		case run.Finished():
			return run, open
		case open == nil:
			open = run
		}
	}
	return nil, open
}

// Runs implements console.Passes.
func (d *desk) Runs(ctx context.Context, memberID string, limit int) ([]leads.Run, error) {
	return d.s.Backend.DB.Runs(ctx, memberID, limit)
}

// Run implements console.Passes.
func (d *desk) Run(ctx context.Context, id string) (leads.Run, bool, error) {
	return d.s.Backend.DB.Run(ctx, id)
}

// Findings implements console.Passes.
func (d *desk) Findings(ctx context.Context, q console.FindingQuery) (console.FindingPage, error) {
	found, next, err := d.s.Backend.DB.FindingPage(ctx, q.RunID, q.Kind, q.After, q.Limit)
	return console.FindingPage{Findings: found, Next: next}, err
}

// StartPass implements console.Passes.
func (d *desk) StartPass(ctx context.Context, memberID string, mode leads.RunMode, dryRun bool) (string, error) {
	b := d.s.Backend
	portal, ok, err := b.DB.Portal(ctx, memberID)
	switch {
	case err != nil:
		return "", err
	case !ok || portal.State != leads.PortalActive:
		return "", fmt.Errorf("%w: portal %s is not active", console.ErrConflict, cmp.Or(portal.Domain, memberID))
	}
	open, err := b.Passes().open(ctx, memberID, mode)
	if err != nil {
		return "", err
	}
	for _, run := range open {
		if run.State != leads.RunPaused && run.DryRun != dryRun {
			return "", fmt.Errorf("%w: another pass is under way, wait for it or pause it", console.ErrConflict)
		}
	}
	return b.Passes().Request(ctx, PassRequest{MemberID: memberID, Mode: mode, DryRun: dryRun}, func(string) {})
}

// PausePass implements console.Passes.
func (d *desk) PausePass(ctx context.Context, id string) (bool, error) {
	return d.s.Backend.DB.StopRun(ctx, id, leads.RunPaused, "")
}

// ResumePass implements console.Passes.
func (d *desk) ResumePass(ctx context.Context, id string) (bool, error) {
	db := d.s.Backend.DB
	run, ok, err := db.Run(ctx, id)
	if err != nil || !ok {
		return false, err
	}
	return db.ResumeRun(ctx, run)
}

// deadDesk is what the pages know and do of dead letters.
type deadDesk struct {
	b *Backend

	letters kept[[]events.DeadLetter]
}

// lettersAge is how old a list of dead letters may be that nobody here has changed.
const lettersAge = 5 * time.Second

// All implements console.Letters. Ten thousand letters take a second to read: a list is used
// again until something was done to it here, or for lettersAge.
func (d *deadDesk) All(ctx context.Context) ([]events.DeadLetter, error) {
	return d.letters.get(ctx, lettersAge, func(ctx context.Context) ([]events.DeadLetter, error) { return d.b.DeadLetters().Of(ctx, "") })
}

// Failing implements console.Letters.
func (d *deadDesk) Failing(ctx context.Context) (again []leads.Failing, err error) {
	portals, err := d.b.DB.Portals(ctx)
	for _, p := range portals {
		failing, err := d.b.DB.Failing(ctx, p.MemberID)
		if err != nil {
			return nil, err
		}
		again = append(again, slices.DeleteFunc(failing, leads.Failing.Parked)...)
	}
	return again, err
}

// Payload implements console.Letters.
func (d *deadDesk) Payload(ctx context.Context, ref leads.Ref) (string, bool, error) {
	return d.b.DB.FailedPayload(ctx, ref)
}

// Replay implements console.Letters.
func (d *deadDesk) Replay(ctx context.Context, letters []events.DeadLetter) (int, error) {
	return d.each(ctx, letters, func(ctx context.Context, letter events.DeadLetter) (bool, error) {
		return true, d.b.DeadLetters().Replay(ctx, letter)
	})
}

// Drop implements console.Letters. A letter that has another reason by now is not the one that was
// shown: it stays.
func (d *deadDesk) Drop(ctx context.Context, letters []events.DeadLetter) (int, error) {
	return d.each(ctx, letters, d.dropShown)
}

func (d *deadDesk) dropShown(ctx context.Context, shown events.DeadLetter) (done bool, err error) {
	bus := d.b.NATS.Bus()
	if bus == nil {
		return false, errNoNATS
	}
	now, ok, err := events.DeadLetterOf(ctx, bus, shown.Ref)
	if err != nil || !ok || now.Reason != shown.Reason {
		return false, err
	}
	return true, d.b.DeadLetters().Drop(ctx, shown.Ref)
}

// each counts the letters that were dealt with.
func (d *deadDesk) each(ctx context.Context, letters []events.DeadLetter, do func(context.Context, events.DeadLetter) (bool, error)) (n int, err error) {
	defer d.letters.forget()
	for _, letter := range letters {
		done, err := do(ctx, letter)
		if err != nil {
			return n, fmt.Errorf("%d of %d done, then lead %s: %w", n, len(letters), letter.Ref, err)
		}
		if done {
			n++
		}
	}
	return n, nil
}
