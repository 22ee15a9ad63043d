package reconcile

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"leadsync/leads"
)

// Portal is the side that is believed.
type Portal interface {
	// Clock is the portal's time, in its zone.
	Clock(ctx context.Context) (time.Time, error)
	// Scan returns the next window of leads with ids above after. A pass calls it beside its
	// other methods.
	Scan(ctx context.Context, after int64, at Steps) (leads.Page, error)
	// Changed does the same for leads that changed since a moment, IDs for ids alone.
	Changed(ctx context.Context, after int64, since time.Time) (leads.Page, error)
	IDs(ctx context.Context, after int64) (leads.Page, error)
	// Leads reads leads one by one, so that "Not found" and "Access denied." differ. The
	// pass holds Config.ReadOrder meanwhile: where the portal asks for a pause, Leads does
	// not wait but returns an error with RetryAfter().
	Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error)
	// Requests counts the HTTP requests sent so far, Refused those of them that the portal
	// refused because of a limit.
	Requests() int64
	Refused() int64
}

// Steps are called on the way of a scan's request, perhaps several times.
type Steps struct {
	Drawn    func() // its ticket is drawn, nothing is sent yet
	Answered func() // the answer is there, and not read yet; it may wait
}

// Mirror is the side that is repaired.
type Mirror interface {
	// Range returns up to limit rows with after < id <= upTo, ascending, tombstones
	// included; IDs the same without their columns; Rows those with these ids.
	Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)
	IDs(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)
	Rows(ctx context.Context, memberID string, ids []int64) ([]leads.Row, error)
	Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error)
	RecordFailure(ctx context.Context, ref leads.Ref, reason string, payload []byte) error
	// Breaker tells how many deletions are due and how many are allowed; AllowDeletions
	// allows more until a moment, or with 0 no longer.
	Breaker(ctx context.Context, memberID string) (leads.Breaker, error)
	AllowDeletions(ctx context.Context, memberID string, deletes int64, until time.Time) error
}

// Ledger keeps the run and its findings. Where another process has claimed the run, the
// methods that write it return leads.ErrNotOwner; where somebody has paused it, they write
// it and return leads.ErrPaused.
type Ledger interface {
	SaveRun(ctx context.Context, run leads.Run) error
	// AddFindings notes findings before their repair. Settle saves the run and replaces the
	// findings noted up to its checkpoint with their results; Noted returns the others.
	AddFindings(ctx context.Context, findings []leads.Finding) error
	Settle(ctx context.Context, run leads.Run, found []leads.Finding) error
	Noted(ctx context.Context, runID string) ([]leads.Finding, error)
	// Unconfirmed returns phantoms that were absent once; Confirm saves the run and the
	// second answer.
	Unconfirmed(ctx context.Context, runID string, after int64, limit int) ([]int64, error)
	Confirm(ctx context.Context, run leads.Run, outcomes []leads.Outcome) error
	// Watermark is the start of the newest completed pass; zero where no pass was completed.
	Watermark(ctx context.Context, memberID string) (leads.Watermark, error)
}

// Parked knows the leads that were given up because they could not be written.
type Parked interface {
	Parked(ctx context.Context, memberID string) ([]leads.Failing, error)
	// Forget forgets that they failed, unless they have failed again since.
	Forget(ctx context.Context, memberID string, parked []leads.Failing) error
}

// Config is what a pass works with.
type Config struct {
	Portal Portal
	Mirror Mirror
	Ledger Ledger
	// Evidence explains findings; nil explains nothing.
	Evidence Evidence
	// Parked leads are forgotten when the pass finds them right or gone; nil forgets none.
	Parked Parked
	// ReadOrder is held from comparing to writing, so that reads reach the mirror in the
	// order of their tickets: meanwhile no other read of the portal is on its way.
	ReadOrder sync.Locker
	// Grace is how long a lead must have been absent before its row becomes a tombstone.
	Grace time.Duration
	// MinAge is how old a change must be, by the portal's clock, before the pass counts it
	// as missed by events; 0 is a minute.
	MinAge time.Duration
	Wake   func() // there is something to relay
	// Report is called with the error of each step that failed, and with nil after one that
	// did not; nil is nothing.
	Report func(error)
	Now    func() time.Time
	// Wait waits as retry.Wait does; nil is that.
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}
