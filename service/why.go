package service

import (
	"context"
	"errors"
	"slices"
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
// database. What one of them cannot say is a note. The error is about both together.
func Why(ctx context.Context, db *repo.DB, cfg Config, portal leads.Portal, leadID int64, since time.Time) (journal.Timeline, error) {
	ref := leads.Ref{MemberID: portal.MemberID, LeadID: leadID}
	known := journal.Known{Portal: portal, Now: cfg.Now(), Since: since}
	var failed error
	if cfg.JournalKeep == 0 {
		known.Note("LEADSYNC_JOURNAL_KEEP is off: only the database is asked")
	} else if known.Journal, failed = journal.Look(ctx, journalDir(cfg), journal.Query{MemberID: ref.MemberID, LeadID: leadID, From: since}); failed != nil {
		known.Note("the journal cannot be read: " + failed.Error())
	}
	ask := asking{db, ref, &known}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"the row", ask.row},
		{"the history of changes", ask.changes},
		{"findings of passes", ask.findings},
		{"failures", ask.failure},
		{"outages", ask.incidents},
		{"the last callback", ask.callback},
		{"passes", ask.runs},
		{"the mirror's status", ask.status},
	} {
		if err := step.do(ctx); err != nil {
			failed = errors.Join(failed, err)
			known.Note(step.what + ": the database cannot say: " + err.Error())
		}
	}
	if failed != nil && len(known.Journal.Entries) == 0 && known.Row == nil {
		return journal.Timeline{}, failed
	}
	return journal.Assemble(ref, known), nil
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
	return err
}

func (a asking) findings(ctx context.Context) (err error) {
	a.known.Findings, err = a.db.FindingsOf(ctx, a.ref, whyChanges)
	return err
}

func (a asking) failure(ctx context.Context) error {
	failing, err := a.db.Failing(ctx, a.ref.MemberID)
	if i := slices.IndexFunc(failing, func(f leads.Failing) bool { return f.LeadID == a.ref.LeadID }); i >= 0 {
		a.known.Failing = &failing[i]
	}
	return err
}

func (a asking) incidents(ctx context.Context) (err error) {
	a.known.Incidents, err = a.db.Incidents(ctx, a.ref.MemberID, a.known.Since)
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
			break
		}
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
