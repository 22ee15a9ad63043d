package owner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

const (
	upkeepEvery = 5 * time.Second
	// keepAliveEvery is how often the owner looks whether tokens would die unused.
	keepAliveEvery = 12 * time.Hour
	// budgetAge is how old the stored state of the budget may become.
	budgetAge = time.Minute
	// deletionsEvery is how often the owner looks whether deletions are held back.
	deletionsEvery = 30 * time.Second
	// waitingEvery is how often the owner looks for the oldest notice that waits.
	waitingEvery = 15 * time.Second
	// goneFor is how long after a lead was read that is not there its deletion may be held back
	// without the agenda knowing: until then it is written, and absent for longer than the grace period.
	goneFor = 10 * time.Minute
)

// upkeep does what has to be done from time to time: see that the events are still bound,
// keep idle tokens alive, store how the budget stands and what fails. One goroutine calls
// record, and one calls do.
type upkeep struct {
	s *Session

	problem      leads.Standing // as it is stored; only what SaveProblem stores
	deletionsAt  time.Time
	waitingAt    time.Time
	oldest       events.WaitingNotice // as it was seen first
	oldestSeenAt time.Time
	modeAt       time.Time
	keepAliveAt  time.Time
	budget       leads.Budget // as it is stored
	budgetAt     time.Time
	readAt       time.Time // the read that bitrix_lead_runtime has
}

// record stores how the portal stands, for other processes and reports. It asks the portal
// nothing, so a portal that fails does not keep it from working.
func (u *upkeep) record(ctx context.Context) error {
	now := time.Now()
	return errors.Join(u.checkWaiting(ctx, now), u.saveProblem(ctx), u.saveBudget(ctx, now), u.noteRead(ctx), u.checkDeletions(ctx, now))
}

// do keeps up what is to be kept up in the portal.
func (u *upkeep) do(ctx context.Context) error {
	now := time.Now()
	// Where nothing else calls a portal that refused everything, this notices that it is over.
	if err := u.s.client.Probe(ctx); err != nil {
		return err
	}
	if err := u.checkMode(ctx, now); err != nil {
		return err
	}
	u.s.fields.check(ctx, now)
	if u.s.tokens == nil {
		return nil
	}
	// One that fails does not keep the others from their work.
	return errors.Join(u.s.bindings.check(ctx, now), u.s.heartbeat.check(ctx, now), u.keepAlive(ctx, now))
}

func (u *upkeep) keepAlive(ctx context.Context, now time.Time) error {
	if !now.After(u.keepAliveAt) {
		return nil
	}
	if err := u.s.tokens.KeepAlive(ctx); err != nil {
		return err
	}
	u.keepAliveAt = now.Add(keepAliveEvery)
	return nil
}

// inherit takes over what fails from the owner before: an outage does not begin anew with each
// owner.
func (u *upkeep) inherit(ctx context.Context) error {
	stored, _, err := u.s.cfg.Mirror.Standing.Standing(ctx, u.s.memberID())
	if err != nil {
		return err
	}
	u.problem = leads.Standing{Epoch: u.s.own.Epoch, Problem: stored.Problem, ProblemSince: stored.ProblemSince, ProblemParts: stored.ProblemParts}
	u.s.health.inherit(stored.ProblemParts)
	return nil
}

// saveProblem lets other processes and the next owner see what fails, when that has changed.
func (u *upkeep) saveProblem(ctx context.Context) error {
	now, found := u.s.cfg.now(), u.s.problems()
	is := leads.Standing{Epoch: u.s.own.Epoch, ProblemParts: written(u.s.health.inheritable())}
	is.Problem, is.ProblemSince = summary(found, now)
	same := is.Problem == u.problem.Problem && is.ProblemParts == u.problem.ProblemParts
	if same && !u.problem.ProblemSince.After(now) {
		return nil
	}
	if err := u.s.cfg.Mirror.Standing.SaveProblem(ctx, u.s.memberID(), is); err != nil {
		return err
	}
	u.problem = is
	return nil
}

// checkWaiting looks since when the oldest notice of a lead waits.
func (u *upkeep) checkWaiting(ctx context.Context, now time.Time) error {
	if now.Before(u.waitingAt) {
		return nil
	}
	oldest, err := events.OldestNotice(ctx, u.s.cfg.Bus, u.s.memberID())
	if err != nil {
		return err
	}
	u.waitingAt = now.Add(u.s.cfg.scaled(waitingEvery))
	u.s.health.setWaiting(u.waitingSince(oldest))
	return nil
}

// waitingSince is when a notice began to wait, by our clock. The server's clock says when it
// was stored, unless one of the two was set since: at least, it waits as long as we see it.
func (u *upkeep) waitingSince(oldest events.WaitingNotice) time.Time {
	if oldest.StoredAt.IsZero() {
		u.oldest = oldest
		return time.Time{}
	}
	now := u.s.cfg.now()
	if oldest.Sequence != u.oldest.Sequence || u.oldest.StoredAt.IsZero() || u.oldestSeenAt.After(now) {
		u.oldest, u.oldestSeenAt = oldest, now
	}
	stored := max(0, time.Since(oldest.StoredAt))
	return now.Add(-max(stored, now.Sub(u.oldestSeenAt)))
}

// errHeldBack says that the breaker holds deletions back until a person allows them.
var errHeldBack = errors.New("deletions are held back")

// checkDeletions reports deletions that the breaker holds back: rows of deleted leads look
// alive meanwhile.
func (u *upkeep) checkDeletions(ctx context.Context, now time.Time) error {
	if now.Before(u.deletionsAt) {
		return nil
	}
	if !u.mayHold(now) {
		u.deletionsAt = now.Add(u.s.cfg.scaled(deletionsEvery))
		return nil
	}
	breaker, err := u.s.cfg.Mirror.Repairs.HeldBack(ctx, u.s.memberID())
	if err != nil {
		return err
	}
	u.deletionsAt = now.Add(u.s.cfg.scaled(deletionsEvery))
	var held error
	u.s.held.Store(0)
	if breaker.Open() {
		u.s.held.Store(breaker.Candidates)
		held = fmt.Errorf("%w: %d leads are gone from the portal, at most %d may be deleted within an hour; look at `leadsync reconcile findings last`, "+
			"and if somebody deleted them in Bitrix24, allow it with `leadsync reconcile --max-deletes %d`", errHeldBack, breaker.Candidates, breaker.Limit, breaker.Candidates)
	}
	u.s.health.report(PartDeletions, held)
	return nil
}

// mayHold tells whether deletions may be held back: some were, or leads are absent. An idle
// portal's database need not be asked.
func (u *upkeep) mayHold(now time.Time) bool {
	due := u.s.due.Load()
	return u.deletionsAt.IsZero() || u.s.held.Load() > 0 || due == nil || due.Absent || now.Sub(time.UnixMilli(u.s.goneAt.Load())) < goneFor
}

// simpleMode is the answer of crm.settings.mode.get for a portal without leads.
// Source: docs/bitrix24.md 6.1.2.
const simpleMode = "2"

// SimpleCRMNote is what people read of a portal without leads.
const SimpleCRMNote = "simple CRM mode: this portal has no leads, new ones become deals at once; the old rows stay"

// checkMode notes whether the portal has leads at all. A portal that does not answer keeps
// what was known.
func (u *upkeep) checkMode(ctx context.Context, now time.Time) error {
	if now.Before(u.modeAt) {
		return nil
	}
	u.modeAt = now.Add(u.s.cfg.scaled(checkBindings))
	answer, err := u.s.client.In(bitrix24.Operator).Read(ctx, "crm.settings.mode.get", nil)
	if err != nil {
		u.s.cfg.Log.DebugContext(ctx, "CRM mode is not known", "member_id", u.s.memberID(), "error", err)
		return nil
	}
	simple := strings.Trim(string(answer.Result), `" `) == simpleMode
	if simple && !u.s.simpleCRM.Load() {
		u.s.cfg.Log.WarnContext(ctx, "portal is in simple CRM mode: it has no leads, new ones become deals at once; keeping the old rows", "member_id", u.s.memberID())
	}
	u.s.simpleCRM.Store(simple)
	note := ""
	if simple {
		note = SimpleCRMNote
	}
	return u.s.cfg.Mirror.Standing.SaveNote(ctx, u.s.memberID(), u.s.own.Epoch, note)
}

// saveBudget lets other processes see how the budget stands, when that has changed. An empty bucket stays
// empty, so that of an idle portal is not stored again.
func (u *upkeep) saveBudget(ctx context.Context, now time.Time) error {
	s := u.s.client.State().Budget
	b := leads.Budget{Level: math.Round(s.Level), Depth: s.Depth, Plan: s.Plan.Name, Share: s.Share, Refusals: s.Refusals}
	if b == u.budget && (b.Level == 0 || !u.budgetAt.Before(now.Add(-budgetAge))) {
		return nil
	}
	if err := u.s.cfg.Mirror.Standing.SaveBudget(ctx, u.s.memberID(), u.s.own.Epoch, b); err != nil {
		return err
	}
	u.budget, u.budgetAt = b, now
	return nil
}

// noteRead keeps the time of the last read for the reports that ask for it.
func (u *upkeep) noteRead(ctx context.Context) error {
	unix := u.s.readAt.Load()
	read := time.UnixMilli(unix)
	if unix == 0 || read.Equal(u.readAt) { // an earlier one was read after the clock was set back
		return nil
	}
	if err := u.s.cfg.Mirror.Reports.TouchLeadGet(ctx, read); err != nil {
		return err
	}
	u.readAt = read
	return nil
}
