// Package owner works on one portal as its only owner among the replicas: it holds the
// portal's lease, reads its notices, keeps events bound and tokens alive, runs passes on
// schedule and drains the portal's own queue of events. It must not know which database
// the mirror is in, nor how callbacks arrive.
package owner

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"leadsync/bitrix24"
	"leadsync/consumers"
	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/reconcile"
)

// Config is what the owners of a process share.
type Config struct {
	Bus    *events.Bus
	Mirror Mirror
	Holder string // names this process in leases
	// OAuth refreshes tokens, as the settings' application where a portal has none of its
	// own, and says which hosts are trusted.
	OAuth *bitrix24.OAuth
	// HTTP is what portals are called with; nil means bitrix24's own client.
	HTTP *http.Client
	// CallbackURL is where Bitrix24 is to send events; if it is empty, no events are bound.
	CallbackURL string
	// Keep returns when a notice is on disk, on its stream or in the spool. A command that
	// takes no notices leaves it nil, and does not drain the offline queue.
	Keep func(context.Context, events.Entry) error
	// Spooled is since when the oldest callback waits in the spool, zero where none does; nil
	// where this process takes no callbacks.
	Spooled func() time.Time
	// SolutionField is the custom field that passes expect the portal to have; empty if there is no such field.
	SolutionField string
	// NextPass returns when the nightly full pass after a moment is due; without it, none runs.
	NextPass func(after time.Time) time.Time
	// CatchUpEvery is the time between two passes over changed leads; 0 switches them off,
	// at start and after outages too.
	CatchUpEvery time.Duration
	// RetryPolicy says when a lead that failed is tried again; nil means the default of consumers.
	RetryPolicy func(attempts int) (wait time.Duration, again bool)
	// Grace is after how long a lead that was absent is asked for again.
	Grace time.Duration
	// MinAge is how recently a lead may have been changed for events not to be blamed yet;
	// 0 means a minute.
	MinAge time.Duration
	// TimeScale divides intervals of upkeep, so that tests and demonstrations need not wait
	// for hours; 0 means 1.
	TimeScale int64
	// Reader stands between the worker and the portal, if it is set. Tests script a
	// portal's answers with it.
	Reader func(Ownership, consumers.Reader) consumers.Reader
	Now    func() time.Time // our clock; nil means time.Now
	Stats  *consumers.Stats
	Wake   func() // called when there is something to relay
	// Journal keeps what happens to leads; nil keeps nothing. See Recorded.
	Journal *journal.Journal
	Log     *slog.Logger
}

// Mirror is the database, by what an owner uses it for. One repo.DB is all of them.
type Mirror struct {
	Leads    consumers.Mirror
	Portals  Portals
	Standing Standing
	Tokens   bitrix24.Grants
	Runs     Runs
	Rows     reconcile.Mirror
	Ledger   reconcile.Ledger
	Evidence Evidence
	Status   MirrorStatus
	Repairs  Repairs
	Reports  Reports
	Agenda   Agenda
}

// Portals keeps what is known of portals.
type Portals interface {
	Portals(ctx context.Context) ([]leads.Portal, error)
	RaiseEpoch(ctx context.Context, memberID, owner string) (int64, error)
	// SetPortalStateFrom changes the state of a portal whose record is still the one that
	// was seen; false where somebody has written it since.
	SetPortalStateFrom(ctx context.Context, seen leads.Portal, state leads.PortalState) (bool, error)
	MovePortal(ctx context.Context, memberID, domain, endpoint string) error
}

// Standing keeps how a portal stands, for other processes.
type Standing interface {
	SaveBound(ctx context.Context, memberID string, bound []string) error
	SaveBudget(ctx context.Context, memberID string, epoch int64, budget leads.Budget) error
	// Standing is what was stored, by an earlier owner, too; false where the portal is unknown.
	Standing(ctx context.Context, memberID string) (leads.Standing, bool, error)
	// SaveProblem stores what fails: in words, since when, and by its parts; "" clears it.
	SaveProblem(ctx context.Context, memberID string, standing leads.Standing) error
	// SaveNote stores what people should know about the portal although it is not a problem.
	SaveNote(ctx context.Context, memberID string, epoch int64, note string) error
	// Beat notes that the portal is served, and returns when that was noted last.
	Beat(ctx context.Context, memberID string) (time.Time, error)
}

// MirrorStatus keeps how far the mirror can be trusted.
type MirrorStatus interface {
	Missed(ctx context.Context, memberID string) (leads.Missed, error)
	// SaveMirrorStatus stores the status, and before when changes may be missed.
	SaveMirrorStatus(ctx context.Context, epoch int64, status leads.MirrorStatus, missed time.Time) error
	// Proofs are when the newest completed pass of each kind began.
	Proofs(ctx context.Context, memberID string) (leads.Proofs, error)
	// OutboxOldestOf is when the portal's oldest change that is not announced was written.
	OutboxOldestOf(ctx context.Context, memberID string) (time.Time, error)
}

// Runs keeps the passes that were requested and done.
type Runs interface {
	RequestRun(ctx context.Context, run leads.Run) (string, error)
	ClaimRun(ctx context.Context, memberID string) (leads.Run, bool, error)
	LastCompleted(ctx context.Context, memberID string) (leads.Run, bool, error)
	// LastFull is the newest full pass that was asked for.
	LastFull(ctx context.Context, memberID string) (leads.Run, bool, error)
	// Watermark is the start of the newest completed pass.
	Watermark(ctx context.Context, memberID string) (leads.Watermark, error)
	Findings(ctx context.Context, runID string) ([]leads.Finding, error)
}

// Evidence keeps what explains findings.
type Evidence interface {
	AddIncident(ctx context.Context, incident leads.Incident) error
	Incidents(ctx context.Context, memberID string, since time.Time) ([]leads.Incident, error)
	LastCallbacks(ctx context.Context, memberID string, ids []int64) ([]leads.LastCallback, error)
}

// Repairs finds and mends what notices do not cover.
type Repairs interface {
	// Missing are leads that the portal did not find once, whose grace period is over.
	Missing(ctx context.Context, memberID string, limit int) ([]int64, error)
	// HeldBack is the breaker of deletions; its limit is exact where it is open.
	HeldBack(ctx context.Context, memberID string) (leads.Breaker, error)
	consumers.Restorer
}

// Reports keeps what reports read beside the leads.
type Reports interface {
	TouchLeadGet(ctx context.Context, at time.Time) error
	TouchLeadList(ctx context.Context, at time.Time) error
	// Schema is what is stored of the portal's custom fields.
	Schema(ctx context.Context, memberID string) (leads.Schema, error)
	SaveSchema(ctx context.Context, memberID string, epoch int64, schema leads.Schema) error
}

// Ownership is one time that a process owned a portal.
type Ownership struct {
	Portal  leads.Portal
	Epoch   int64 // how often the portal has changed its owner; 1 for its first
	Tickets *leads.Tickets
	// ReadOrder is held while the result of a read is on its way into the mirror. A pass
	// draws its ticket and compares while it holds it, and reads without it.
	ReadOrder sync.Locker
}

func (c *Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// scaled is how long to wait, which tests and demonstrations shorten.
func (c *Config) scaled(wait time.Duration) time.Duration {
	return wait / time.Duration(max(1, c.TimeScale))
}
