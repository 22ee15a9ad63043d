package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/journal"
	"leadsync/leads"
	"leadsync/repo"
)

const (
	// whyChanges is how many changes and findings of a lead are told.
	whyChanges = 200
	// whyRuns is how many passes are looked through for those that would have found the lead.
	whyRuns = 500
)

// Why tells what happened to a lead since a moment: from the journal of this machine and from the
// database; at most the newest moments. What one of them cannot say is a note. The error is that
// neither says anything of the lead.
func Why(ctx context.Context, db *repo.DB, cfg Config, portal leads.Portal, leadID int64, span Span) (journal.Timeline, error) {
	ref := leads.Ref{MemberID: portal.MemberID, LeadID: leadID}
	known := journal.Known{Portal: portal, Now: cfg.Now(), Since: span.Since, Most: span.Most}
	if cfg.Keep > 0 {
		known.Kept = known.Now.Add(-cfg.Keep)
	}
	known.Journal, known.NoJournal = lookUp(ctx, cfg, journal.Query{MemberID: ref.MemberID, LeadID: leadID, From: span.Since, Most: span.entries()})
	ask := asking{db, ref, &known}
	var failed error
	for _, step := range []struct {
		part journal.Part
		do   func(context.Context) error
	}{
		{journal.PartRow, ask.row},
		{journal.PartChanges, ask.changes},
		{journal.PartFindings, ask.findings},
		{journal.PartFailures, ask.failure},
		{journal.PartOutages, ask.incidents},
		{journal.PartCallback, ask.callback},
		{journal.PartPasses, ask.runs},
		{journal.PartStatus, ask.status},
	} {
		if err := step.do(ctx); err != nil {
			failed = errors.Join(failed, err)
			known.Lack(step.part, "the database cannot say: "+err.Error())
		}
	}
	if err := ctx.Err(); err != nil {
		return journal.Timeline{}, err
	}
	if known.NoRow && len(known.Journal.Entries) == 0 {
		return journal.Timeline{}, failed
	}
	return journal.Assemble(ref, known), nil
}

// Span says how much to tell of a lead.
type Span struct {
	Since time.Time
	Most  int // moments, the newest; 0 is all that are kept in memory
}

// entries is how many entries of the journal that takes: the answer looks at more than is told.
func (s Span) entries() int { return max(s.Most, 10_000) }

// lookUp asks the journal of this machine, or says why it cannot.
func lookUp(ctx context.Context, cfg Config, q journal.Query) (journal.Record, string) {
	if cfg.JournalKeep == 0 {
		return journal.Record{}, "LEADSYNC_JOURNAL_KEEP is off: only the database was asked"
	}
	record, err := journal.Look(ctx, journalDir(cfg), q)
	switch {
	case err != nil:
		return record, "the journal cannot be read, so only the database was asked: " + err.Error()
	case record.Oldest.IsZero():
		return record, "there is no journal in " + journalDir(cfg) + ", so only the database was asked: run leadsync why on the machine of the service, with its settings"
	}
	return record, ""
}

// asking asks the database for what it knows of a lead.
type asking struct {
	db    *repo.DB
	ref   leads.Ref
	known *journal.Known
}

func (a asking) row(ctx context.Context) error {
	row, ok, err := a.db.Row(ctx, a.ref)
	if err != nil {
		a.known.NoRow = true
		return err
	}
	if ok {
		a.known.Row = &row
		return nil
	}
	a.known.Below, a.known.Above, err = a.db.Around(ctx, a.ref)
	return err
}

func (a asking) changes(ctx context.Context) (err error) {
	a.known.Changes, err = a.db.Changes(ctx, a.ref, whyChanges)
	if n := len(a.known.Changes); n == whyChanges && a.known.Changes[n-1].At.After(a.known.Since) {
		a.known.Note(fmt.Sprintf("only the newest %d rows of leadsync_changes were looked at", n))
	}
	return err
}

func (a asking) findings(ctx context.Context) (err error) {
	a.known.Findings, err = a.db.FindingsOf(ctx, a.ref, whyChanges)
	if n := len(a.known.Findings); n == whyChanges && a.known.Findings[n-1].FoundAt.After(a.known.Since) {
		a.known.Note(fmt.Sprintf("only the newest %d findings of passes were looked at", n))
	}
	return err
}

func (a asking) failure(ctx context.Context) error {
	failing, ok, err := a.db.FailingOf(ctx, a.ref)
	if ok {
		a.known.Failing = &failing
	}
	return err
}

// incidents are also those of the time when a lead that the mirror lacks must have been created.
func (a asking) incidents(ctx context.Context) (err error) {
	since := a.known.Since
	for _, beside := range []leads.Neighbour{a.known.Below, a.known.Above} {
		if at := beside.CreatedAt.Add(-time.Minute); !beside.CreatedAt.IsZero() && at.Before(since) { // for clocks that differ
			since = at
		}
	}
	a.known.Incidents, err = a.db.Incidents(ctx, a.ref.MemberID, since)
	return err
}

func (a asking) callback(ctx context.Context) error {
	list, err := a.db.LastCallbacks(ctx, a.ref.MemberID, []int64{a.ref.LeadID})
	if len(list) > 0 {
		a.known.Callback = &list[0]
	}
	return err
}

// runs are the completed passes that would have seen any lead.
func (a asking) runs(ctx context.Context) error {
	list, err := a.db.Runs(ctx, a.ref.MemberID, whyRuns)
	for _, r := range list {
		if r.State == leads.RunCompleted && !r.DryRun && r.Mode != leads.RunChanged {
			a.known.Pass = r
			return err
		}
	}
	if len(list) == whyRuns {
		a.known.Lack(journal.PartPasses, fmt.Sprintf("none of the newest %d looked at all leads", whyRuns))
	}
	return err
}

func (a asking) status(ctx context.Context) error {
	list, err := a.db.MirrorStatuses(ctx)
	for _, s := range list {
		if s.MemberID == a.ref.MemberID {
			a.known.Status = s
		}
	}
	return err
}
