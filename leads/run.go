package leads

import (
	"errors"
	"time"
)

// ErrPaused says that somebody has paused or given up a run while it was worked on.
var ErrPaused = errors.New("the run was paused")

// RunMode says which pass a run is.
type RunMode string

// The passes.
const (
	RunImport RunMode = "import" // the first full pass of a portal
	RunFull   RunMode = "full"   // every lead of the portal against every row
	// RunChanged reads only what was changed since the pass before.
	RunChanged RunMode = "changed"
	// RunIDs reads ids alone: it finds what is missing on either side, and nothing else.
	RunIDs RunMode = "ids"
)

// RunState is how far a run has come.
type RunState string

// The states of a run. A run that stopped is never taken for complete.
const (
	RunRequested  RunState = "requested" // waits for the portal's owner
	RunRunning    RunState = "running"
	RunCompleted  RunState = "completed"
	RunIncomplete RunState = "incomplete" // gave up; Error says why
	RunPaused     RunState = "paused"     // somebody stopped it at its checkpoint; it can be resumed
)

// Run is one pass over one portal, as leadsync_runs keeps it.
type Run struct {
	ID          string // UUID
	MemberID    string
	Mode        RunMode
	State       RunState
	DryRun      bool // findings only, nothing repaired
	RequestedAt time.Time
	StartedAt   time.Time // zero until an owner takes it
	FinishedAt  time.Time // zero until it ends
	Checkpoint  int64     // every lead up to this id is done
	// Error says why the run gave up or, of a completed one, what a person has to look at:
	// deletions that were stopped, leads that may no longer be read.
	Error string
	Epoch int64 // under which it was claimed last
	// MaxDeletes is how many deletions the operator allows; 0 is what the breaker does.
	MaxDeletes int64
	// Since is from when on changes are read, where Mode is changed; PortalAt is the
	// portal's clock when the first read was answered. Both in the portal's own zone.
	Since    time.Time
	PortalAt time.Time
	Sums
}

// Finished tells whether nothing more will happen to the run.
func (r *Run) Finished() bool { return r.State == RunCompleted || r.State == RunIncomplete }

// Sums is what a run counted.
type Sums struct {
	Scanned    int64 `json:"scanned"` // leads the portal showed
	Unchanged  int64 `json:"unchanged"`
	Missed     int64 `json:"missed"`     // in the portal, not in the mirror
	Stale      int64 `json:"stale"`      // in both, different
	Phantom    int64 `json:"phantom"`    // in the mirror, not in the portal
	Unreadable int64 `json:"unreadable"` // in the mirror; the portal says "Access denied."
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Deleted    int64 `json:"deleted"`
	Requests   int64 `json:"requests"` // HTTP requests spent
	// Refused is how many of them the portal refused because of a limit.
	Refused int64 `json:"refused_by_limits"`
}

// Add adds the sums of another run.
func (s *Sums) Add(o Sums) {
	s.Scanned += o.Scanned
	s.Unchanged += o.Unchanged
	s.Missed += o.Missed
	s.Stale += o.Stale
	s.Phantom += o.Phantom
	s.Unreadable += o.Unreadable
	s.Inserted += o.Inserted
	s.Updated += o.Updated
	s.Deleted += o.Deleted
	s.Requests += o.Requests
	s.Refused += o.Refused
}

// Found is the number of differences.
func (s Sums) Found() int64 { return s.Missed + s.Stale + s.Phantom + s.Unreadable }

// Repaired is the number of rows that were put right.
func (s Sums) Repaired() int64 { return s.Inserted + s.Updated + s.Deleted }

// Summary is a run as it is reported: on the topic of runs, and by commands as JSON.
type Summary struct {
	Run    string   `json:"run,omitempty"`
	Portal string   `json:"portal,omitempty"` // member_id
	Mode   RunMode  `json:"mode"`
	State  RunState `json:"state"`
	Sums
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// Summary reports the run.
func (r *Run) Summary() Summary {
	s := Summary{Run: r.ID, Portal: r.MemberID, Mode: r.Mode, State: r.State, Sums: r.Sums, Error: r.Error}
	if !r.StartedAt.IsZero() && !r.FinishedAt.IsZero() {
		s.Seconds = r.FinishedAt.Sub(r.StartedAt).Seconds()
	}
	return s
}

// FindingKind says how portal and mirror differed.
type FindingKind string

// The kinds of findings.
const (
	FindingMissed     FindingKind = "missed"
	FindingStale      FindingKind = "stale"
	FindingPhantom    FindingKind = "phantom"
	FindingUnreadable FindingKind = "unreadable"
)

// Finding is one difference that a run found.
type Finding struct {
	RunID   string
	Ref     Ref
	Kind    FindingKind
	Fields  []string // that differed, where Kind is stale
	FoundAt time.Time
	// Repaired is the verdict of the repair; Unchanged where nothing was written.
	Repaired Verdict
	// Cause is the likely reason, in words.
	Cause string
	// Behind is by how much the mirror was late: from the portal's last change of the lead
	// until it was found, by the portal's clock; 0 where that is not known.
	Behind time.Duration
}
