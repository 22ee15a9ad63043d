package owner

import (
	"context"
	"sync"
	"time"

	"leadsync/consumers"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/reconcile"
)

// Recorded is a mirror whose journal has what is written to it.
func Recorded(m Mirror, j *journal.Journal, now func() time.Time) Mirror {
	if j == nil {
		return m
	}
	r := recorder{j, now}
	m.Leads = recordedLeads{m.Leads, r}
	m.Rows = recordedRows{m.Rows, r}
	m.Ledger = recordedLedger{m.Ledger, r}
	m.Evidence = recordedEvidence{m.Evidence, r}
	m.Status = &recordedStatus{MirrorStatus: m.Status, recorder: r}
	return m
}

// recorder makes entries.
type recorder struct {
	journal *journal.Journal
	now     func() time.Time
}

// apply notes what became of snapshots.
func (r recorder) apply(snaps []leads.Snapshot, took time.Duration, outcomes []leads.Outcome) {
	now, entries := r.now(), make([]journal.Entry, len(outcomes))
	for i, o := range outcomes {
		entries[i] = journal.Entry{
			At: now, Kind: journal.Wrote, MemberID: o.MemberID, LeadID: o.LeadID, Word: o.Verdict.String(), Cause: string(snaps[i].Cause),
			Revision: o.Revision, Ticket: int64(snaps[i].Ticket), Took: took,
		}
		if o.Verdict == leads.Updated { // a new lead differs in all of its fields
			entries[i].Fields = o.Changed
		}
	}
	r.journal.Add(entries...)
}

type recordedLeads struct {
	consumers.Mirror
	recorder
}

// Apply implements consumers.Applier.
func (m recordedLeads) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	began := time.Now()
	outcomes, err := m.Mirror.Apply(ctx, snaps)
	if err == nil {
		m.apply(snaps, time.Since(began), outcomes)
	}
	return outcomes, err
}

// CountFailure implements consumers.Failures. The reason stays in the database: it may quote
// values.
func (m recordedLeads) CountFailure(ctx context.Context, ref leads.Ref, event, reason string, next func(int) time.Time) (leads.Failing, error) {
	f, err := m.Mirror.CountFailure(ctx, ref, event, reason, next)
	if err == nil {
		kind := journal.Failure
		if f.Parked() {
			kind = journal.Parked
		}
		m.journal.Add(journal.Entry{At: f.LastAt, Kind: kind, MemberID: ref.MemberID, LeadID: ref.LeadID, Event: event, Count: int64(f.Attempts)})
	}
	return f, err
}

type recordedRows struct {
	reconcile.Mirror
	recorder
}

// Apply implements reconcile.Mirror.
func (m recordedRows) Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	began := time.Now()
	outcomes, err := m.Mirror.Apply(ctx, snaps)
	if err == nil {
		m.apply(snaps, time.Since(began), outcomes)
	}
	return outcomes, err
}

type recordedLedger struct {
	reconcile.Ledger
	recorder
}

// Settle implements reconcile.Ledger.
func (l recordedLedger) Settle(ctx context.Context, run leads.Run, found []leads.Finding) error {
	err := l.Ledger.Settle(ctx, run, found)
	if err == nil {
		entries := make([]journal.Entry, len(found))
		for i, f := range found {
			entries[i] = journal.Entry{
				At: f.FoundAt, Kind: journal.Found, MemberID: f.Ref.MemberID, LeadID: f.Ref.LeadID, Word: string(f.Kind), Event: f.Repaired.String(),
				Cause: string(run.Mode), Fields: f.Fields, Took: f.Behind,
			}
		}
		l.journal.Add(entries...)
	}
	return err
}

type recordedEvidence struct {
	Evidence
	recorder
}

// AddIncident implements Evidence.
func (e recordedEvidence) AddIncident(ctx context.Context, i leads.Incident) error {
	err := e.Evidence.AddIncident(ctx, i)
	if err == nil { // it is tried again
		e.journal.Add(OutageEntry(i))
	}
	return err
}

// OutageEntry is an incident as the journal keeps it.
func OutageEntry(i leads.Incident) journal.Entry {
	return journal.Entry{At: i.To, Kind: journal.Outage, MemberID: i.MemberID, Word: string(i.Kind), Since: i.From, Text: journal.Plain(i.Detail)}
}

type recordedStatus struct {
	MirrorStatus
	recorder

	mu   sync.Mutex
	last map[string]leads.MirrorState // by portal
}

// SaveMirrorStatus implements MirrorStatus.
func (s *recordedStatus) SaveMirrorStatus(ctx context.Context, epoch int64, status leads.MirrorStatus, missed time.Time) error {
	if err := s.MirrorStatus.SaveMirrorStatus(ctx, epoch, status, missed); err != nil {
		return err
	}
	s.mu.Lock()
	if s.last == nil {
		s.last = map[string]leads.MirrorState{}
	}
	changed := s.last[status.MemberID] != status.State
	s.last[status.MemberID] = status.State
	s.mu.Unlock()
	if changed {
		s.journal.Add(journal.Entry{At: s.now(), Kind: journal.Status, MemberID: status.MemberID, Word: string(status.State), Since: status.Since, Text: journal.Plain(status.Reason)})
	}
	return nil
}
