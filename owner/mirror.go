package owner

import (
	"context"
	"time"

	"leadsync/leads"
)

const (
	// behindAfter is how long a change may wait before the mirror is behind.
	behindAfter = time.Minute
	// mirrorEvery is how often the owner looks how far the mirror can be trusted.
	mirrorEvery = 5 * time.Second
	// incidentsAnyway is after how long incidents are read although there seems to be no new one: its number may have been
	// seen before it could be read.
	incidentsAnyway = time.Minute
)

// proveAgain is how long after passes were requested they are requested again, where they have
// proved nothing.
const proveAgain = 5 * time.Minute

// Reasons why a mirror is blind although nothing fails any more.
const (
	notImported = "the leads have not been imported yet"
	notCompared = "changes may have been missed, and no pass has compared the leads since"
)

// mirror says how far the portal's mirror can be trusted, and stores it. One goroutine calls
// it.
type mirror struct {
	s *Session

	loaded    bool
	stored    leads.MirrorStatus // as it is in the database; At is not kept
	missed    time.Time          // see leads.Missed
	looked    time.Time          // incidents that ended before are known
	incident  int64              // the newest incident that is known; one that was not committed yet is found with the next look
	lookedAt  time.Time          // when incidents were read
	compared  time.Time          // before that, every change was compared
	ended     int64              // how many passes had ended then
	provedAt  time.Time          // when compared was read
	requested time.Time          // passes were requested after the changes missed then
}

// check looks and stores what has changed.
func (m *mirror) check(ctx context.Context) error {
	s, now := m.s, m.s.cfg.now()
	if !s.beaten.Load() { // until then the status of the owner before stands
		return nil
	}
	if err := m.load(ctx); err != nil {
		return err
	}
	compared, err := m.proofs(ctx)
	if err != nil {
		return err
	}
	if err := m.incidents(ctx, compared, now); err != nil {
		return err
	}
	status, err := m.judge(ctx, compared, now)
	if err != nil {
		return err
	}
	if err := m.prove(ctx, status, now); err != nil {
		return err
	}
	return m.save(ctx, status)
}

// load reads what an earlier owner has stored, once.
func (m *mirror) load(ctx context.Context) error {
	if m.loaded {
		return nil
	}
	missed, err := m.s.cfg.Mirror.Status.Missed(ctx, m.s.memberID())
	if err != nil {
		return err
	}
	m.loaded, m.missed = true, missed.At
	if missed.State == leads.MirrorBlind && !missed.At.IsZero() {
		m.missed = m.s.cfg.now() // its owner knew why until now, and did not store each moment
	}
	m.stored.State, m.stored.Since = missed.State, missed.Since
	return nil
}

// proofs is the moment before which every change was compared. It is read when a pass has ended,
// and from time to time.
func (m *mirror) proofs(ctx context.Context) (compared time.Time, err error) {
	ended, now := m.s.passes.ended.Load(), time.Now()
	if m.s.due.Load() != nil && ended == m.ended && now.Sub(m.provedAt) < m.s.cfg.scaled(lookAnyway) {
		return m.compared, nil
	}
	proofs, err := m.s.cfg.Mirror.Status.Proofs(ctx, m.s.memberID())
	if err != nil {
		return time.Time{}, err
	}
	m.ended, m.provedAt, m.compared = ended, now, proofs.Complete()
	return m.compared, nil
}

// incidents looks for times during which changes could be missed. Callbacks that waited in
// the spool were not.
func (m *mirror) incidents(ctx context.Context, compared, now time.Time) error {
	if m.looked.IsZero() {
		m.looked = compared
	}
	due := m.s.due.Load()
	if due != nil && due.Incident == m.incident && now.Sub(m.lookedAt) < m.s.cfg.scaled(incidentsAnyway) && !m.lookedAt.After(now) {
		return nil
	}
	pending := false // one that ends only after now, by another clock
	found, err := m.s.cfg.Mirror.Evidence.Incidents(ctx, m.s.memberID(), m.looked)
	if err != nil {
		return err
	}
	for _, incident := range found {
		if incident.Kind == leads.IncidentSpooled || !incident.To.After(m.missed) {
			continue
		}
		if incident.To.After(now) {
			pending = true
		} else {
			m.missed = incident.To
		}
	}
	m.looked, m.lookedAt = now.Add(-behindAfter-2*incidentsAnyway), now // one is stored a little later than it ends
	if due != nil && !pending {
		m.incident = due.Incident
	}
	return nil
}

// judge says how far the mirror can be trusted now. compared is the moment before which every
// change was compared.
func (m *mirror) judge(ctx context.Context, compared, now time.Time) (leads.MirrorStatus, error) {
	status := leads.MirrorStatus{MemberID: m.s.memberID(), State: leads.MirrorCurrent}
	reason := m.blindness(now)
	if m.missed.After(now) { // the clock was set back
		m.missed = now
	}
	switch {
	case reason != "":
		m.missed = now
	case compared.IsZero():
		reason = notImported
	case compared.After(m.missed):
		m.missed = time.Time{}
	default:
		reason = notCompared
	}
	oldest, why, err := m.oldest(ctx, now)
	if err != nil {
		return status, err
	}
	if !oldest.IsZero() && now.Sub(oldest) > behindAfter {
		status.State, status.BehindSince, status.Reason = leads.MirrorBehind, oldest, why
	}
	if reason != "" {
		status.State, status.Reason = leads.MirrorBlind, reason
	}
	status.Since = now
	if status.State == m.stored.State && !m.stored.Since.After(now) {
		status.Since = m.stored.Since
	}
	return status, nil
}

// blindness says why changes may be missed at this moment; "" where nothing speaks for that.
func (m *mirror) blindness(now time.Time) string {
	for _, problem := range m.s.problems() {
		if problem.Urgent && problem.Fails() && problem.Part != PartDeletions {
			return summaryOf(problem, now)
		}
	}
	return m.s.unreachable()
}

func summaryOf(p Problem, now time.Time) string {
	words, _ := summary([]Problem{p}, now)
	return words
}

// oldest is since when the oldest change waits, on its way into SQL or to subscribers; zero
// where none does.
func (m *mirror) oldest(ctx context.Context, now time.Time) (oldest time.Time, why string, err error) {
	earlier := func(at time.Time, reason string) {
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest, why = at, reason
		}
	}
	earlier(m.s.health.oldest(), "callbacks wait until leadsync has read their leads")
	for _, problem := range m.s.problems() {
		if problem.Since = problem.Again; problem.Fails() && problem.Pressing(now) {
			earlier(problem.Since, summaryOf(problem, now))
		}
	}
	announced, err := m.unannounced(ctx)
	earlier(announced, "changes wait to be announced on NATS")
	if m.s.cfg.Spooled != nil {
		earlier(m.s.cfg.Spooled(), "callbacks wait on disk until NATS and the database take them")
	}
	return oldest, why, err
}

// unannounced is when the oldest change was written that waits to be announced.
func (m *mirror) unannounced(ctx context.Context) (time.Time, error) {
	if due := m.s.due.Load(); due != nil {
		return due.Unannounced, nil
	}
	return m.s.cfg.Mirror.Status.OutboxOldestOf(ctx, m.s.memberID())
}

// prove requests passes where only they can say that nothing was missed.
func (m *mirror) prove(ctx context.Context, status leads.MirrorStatus, now time.Time) error {
	// One that runs already has begun too early: it is asked for again when that has ended.
	if status.Reason != notCompared || m.s.cfg.CatchUpEvery <= 0 || m.requested.After(m.missed) && now.Sub(m.requested) < proveAgain {
		return nil
	}
	for _, mode := range []leads.RunMode{leads.RunChanged, leads.RunIDs} {
		if _, err := m.s.cfg.Mirror.Runs.RequestRun(ctx, leads.Run{MemberID: m.s.memberID(), Mode: mode}); err != nil {
			return err
		}
	}
	m.requested = now
	return nil
}

func (m *mirror) save(ctx context.Context, status leads.MirrorStatus) error {
	if status == m.stored {
		return nil
	}
	if err := m.s.cfg.Mirror.Status.SaveMirrorStatus(ctx, m.s.own.Epoch, status, m.missed); err != nil {
		return err
	}
	if status.State != m.stored.State {
		m.s.cfg.Log.InfoContext(ctx, "status of the mirror", "member_id", status.MemberID, "state", status.State, "reason", status.Reason)
	}
	m.stored = status
	return nil
}
