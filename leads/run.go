package leads

import "time"

// RunMode says which pass a run is.
type RunMode string

// The passes.
const (
	RunImport RunMode = "import" // the first full pass of a portal
	RunFull   RunMode = "full"   // every lead of the portal against every row
)

// RunState is how far a run has come.
type RunState string

// The states of a run. A run that stopped is never taken for complete.
const (
	RunRequested  RunState = "requested" // waits for the portal's owner
	RunRunning    RunState = "running"
	RunCompleted  RunState = "completed"
	RunIncomplete RunState = "incomplete" // gave up; Error says why
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
	Error       string
	Sums
}

// Finished tells whether nothing more will happen to the run.
func (r *Run) Finished() bool { return r.State == RunCompleted || r.State == RunIncomplete }

// Sums is what a run counted.
type Sums struct {
	Scanned    int64 // leads the portal showed
	Unchanged  int64
	Missed     int64 // in the portal, not in the mirror
	Stale      int64 // in both, different
	Phantom    int64 // in the mirror, not in the portal
	Unreadable int64 // in the mirror; the portal says "Access denied."
	Inserted   int64
	Updated    int64
	Deleted    int64
	Requests   int64 // HTTP requests spent
}

// Found is the number of differences.
func (s Sums) Found() int64 { return s.Missed + s.Stale + s.Phantom + s.Unreadable }

// Repaired is the number of rows that were put right.
func (s Sums) Repaired() int64 { return s.Inserted + s.Updated + s.Deleted }

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
}
