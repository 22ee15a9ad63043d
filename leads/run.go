package leads

import (
	"errors"
	"time"
)

// ErrPaused says that an operator has paused or given up a run while it was running.
var ErrPaused = errors.New("run was paused")

// RunMode is the kind of a pass.
type RunMode string

// The kinds of passes.
const (
	RunImport RunMode = "import" // the first full pass of a portal
	RunFull   RunMode = "full"   // compares every lead of the portal with every row
	// RunChanged reads only leads that changed since the last pass.
	RunChanged RunMode = "changed"
	// RunIDs reads only ids: it finds leads that are missing on either side.
	RunIDs RunMode = "ids"
)

// RunState is the state of a run.
type RunState string

// The states of a run. A run that was interrupted never counts as completed.
const (
	RunRequested  RunState = "requested" // waits for the portal's owner
	RunRunning    RunState = "running"
	RunCompleted  RunState = "completed"
	RunIncomplete RunState = "incomplete" // was given up; Error says why
	RunPaused     RunState = "paused"     // an operator stopped it at its checkpoint; it can be resumed
)

// Run is one pass over one portal, a row of leadsync_runs.
type Run struct {
	ID          string // UUID
	MemberID    string
	Mode        RunMode
	State       RunState
	DryRun      bool // only records findings, repairs nothing
	RequestedAt time.Time
	StartedAt   time.Time // zero until an owner claims it
	FinishedAt  time.Time // zero until it ends
	Checkpoint  int64     // every lead up to this id is finished
	// Error says why the run was given up or, on a completed run, what a person must check:
	// deletions that were stopped, leads that may no longer be read.
	Error string
	Epoch int64 // the owner's epoch when it was last claimed
	// MaxDeletes is how many deletions the operator allows; 0 keeps the limit of the breaker.
	MaxDeletes int64
	// Since is the start of the changes to read, where Mode is changed; PortalAt is the
	// portal's clock at the answer to the first read. Both are in the portal's time zone.
	Since    time.Time
	PortalAt time.Time
	Sums
}

// Watermark is the start of a completed pass: the mirror has every change from before it. It
// is zero where no pass has completed.
type Watermark struct {
	At    time.Time // by the portal's clock, in its zone
	Began time.Time // by ours
}

// Finished reports whether the run has ended and cannot be resumed.
func (r *Run) Finished() bool { return r.State == RunCompleted || r.State == RunIncomplete }

// Sums are the counters of a run.
type Sums struct {
	Scanned    int64 `json:"scanned"` // leads that the portal returned
	Unchanged  int64 `json:"unchanged"`
	Missed     int64 `json:"missed"`     // in the portal, not in the mirror
	Stale      int64 `json:"stale"`      // in both, different
	Phantom    int64 `json:"phantom"`    // in the mirror, not in the portal
	Unreadable int64 `json:"unreadable"` // in the mirror; the portal says "Access denied."
	// Unprocessable: in the portal; leadsync cannot use the portal's answer. Not a deletion.
	Unprocessable int64 `json:"unprocessable"`
	// Failing: events may still bring the lead, so it is no finding, but its row could not be written.
	Failing  int64 `json:"failing"`
	Inserted int64 `json:"inserted"`
	Updated  int64 `json:"updated"`
	Deleted  int64 `json:"deleted"`
	Requests int64 `json:"requests"` // HTTP requests sent
	// Refused counts the requests that the portal rejected because of a limit.
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
	s.Unprocessable += o.Unprocessable
	s.Failing += o.Failing
	s.Inserted += o.Inserted
	s.Updated += o.Updated
	s.Deleted += o.Deleted
	s.Requests += o.Requests
	s.Refused += o.Refused
}

// Found returns the number of differences.
func (s Sums) Found() int64 { return s.Missed + s.Stale + s.Phantom + s.Unreadable + s.Unprocessable }

// TooRecent is how many leads differed and are no finding, because they had changed so shortly
// before that events may still bring them; without those that cannot be stored.
func (s Sums) TooRecent() int64 {
	return max(0, s.Scanned-s.Unchanged-s.Missed-s.Stale-s.Unprocessable-s.Failing)
}

// Repaired returns the number of rows that were corrected.
func (s Sums) Repaired() int64 { return s.Inserted + s.Updated + s.Deleted }

// Summary is the report of a run, on the topic of runs and in the output of commands. Its
// JSON form is a contract.
type Summary struct {
	Run    string   `json:"run,omitempty"`
	Portal string   `json:"portal,omitempty"` // member_id
	Mode   RunMode  `json:"mode"`
	State  RunState `json:"state"`
	Sums
	Seconds float64 `json:"seconds"` // from start to end; 0 while it runs, and where the clock was set back meanwhile
	Error   string  `json:"error,omitempty"`
}

// Summary returns the report of the run.
func (r *Run) Summary() Summary {
	s := Summary{Run: r.ID, Portal: r.MemberID, Mode: r.Mode, State: r.State, Sums: r.Sums, Error: r.Error}
	if !r.StartedAt.IsZero() && !r.FinishedAt.IsZero() {
		s.Seconds = max(0, r.FinishedAt.Sub(r.StartedAt).Seconds())
	}
	return s
}

// FindingKind is how portal and mirror differed; see Sums.
type FindingKind string

// The kinds of findings.
const (
	FindingMissed     FindingKind = "missed"
	FindingStale      FindingKind = "stale"
	FindingPhantom    FindingKind = "phantom"
	FindingUnreadable FindingKind = "unreadable"
	// FindingUnprocessable: the portal has the lead, but leadsync cannot use its answer.
	FindingUnprocessable FindingKind = "unprocessable"
)

// Finding is one difference that a run found.
type Finding struct {
	RunID   string
	Ref     Ref
	Kind    FindingKind
	Fields  []string // fields that differed, where Kind is stale
	FoundAt time.Time
	// Repaired is the result of the repair; Unchanged where nothing was written.
	Repaired Verdict
	// Cause is the likely reason, a sentence for people.
	Cause string
	// Behind is the delay of the mirror: from the last change of the lead until the run
	// found it, by the portal's clock; 0 where unknown.
	Behind time.Duration
}
