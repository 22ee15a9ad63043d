package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"leadsync/leads"
	"leadsync/repo"
)

// PassRequest is a pass that somebody asks for.
type PassRequest struct {
	MemberID   string
	Mode       leads.RunMode
	DryRun     bool  // record what differs and repair nothing
	MaxDeletes int64 // see leads.Run
	Resume     bool  // continue the paused pass
	Restart    bool  // give up a pass that is under way or paused
}

// ErrNotThatPass says that what is asked for does not fit the passes there are; whoever asks
// can ask otherwise.
var ErrNotThatPass = errors.New("no such pass")

// Passes is where passes are asked for and followed.
type Passes struct {
	db  *repo.DB
	now func() time.Time
}

// Passes are those of all portals in the database.
func (b *Backend) Passes() Passes { return Passes{b.DB, b.Config.Now} }

// Request returns the id of the run that does what is asked for: a new one, the paused
// one, or one that is under way. Notes for the person who asks go to tell.
func (p Passes) Request(ctx context.Context, r PassRequest, tell func(string)) (id string, err error) {
	open, err := p.open(ctx, r.MemberID, r.Mode)
	if err != nil {
		return "", err
	}
	for _, run := range open {
		if id, err := p.reuse(ctx, r, run, tell); err != nil || id != "" {
			return id, err
		}
	}
	if r.Resume && len(open) == 0 {
		return "", fmt.Errorf("%w: there is no paused pass to go on with", ErrNotThatPass)
	}
	return p.db.RequestRun(ctx, leads.Run{
		ID: uuid.NewString(), MemberID: r.MemberID, Mode: r.Mode, DryRun: r.DryRun, MaxDeletes: r.MaxDeletes, RequestedAt: p.now().UTC(),
	})
}

// reuse returns the id of a run that is not over where it does what is asked for; "" where it
// is to be left alone.
func (p Passes) reuse(ctx context.Context, r PassRequest, run leads.Run, tell func(string)) (id string, err error) {
	switch {
	case r.Restart:
		_, err := p.db.StopRun(ctx, run.ID, leads.RunIncomplete, "given up for a new pass (--restart)")
		return "", err
	case r.Resume && run.State == leads.RunPaused:
		if run.MaxDeletes = max(run.MaxDeletes, r.MaxDeletes); run.DryRun != r.DryRun {
			return "", fmt.Errorf("%w: the paused pass is %sa dry run; resume it as it was, or --restart", ErrNotThatPass, not(!run.DryRun))
		}
		if ok, err := p.db.ResumeRun(ctx, run); err != nil || !ok {
			return "", err
		}
	case run.State == leads.RunPaused:
		tell(fmt.Sprintf("A pass was paused at lead %d; --resume would go on with it. This is a new one.", run.Checkpoint))
		return "", nil
	case run.DryRun != r.DryRun || run.MaxDeletes < r.MaxDeletes:
		return "", fmt.Errorf("another pass is under way, with other flags, at lead %d: wait for it, or start again with --restart", run.Checkpoint)
	case run.State == leads.RunRunning && run.Checkpoint > 0:
		tell(fmt.Sprintf("A pass is under way at lead %d: going on with it.", run.Checkpoint))
	}
	return run.ID, nil
}

func not(yes bool) string {
	if yes {
		return "not "
	}
	return ""
}

// runsBack is how many runs of a portal are looked through.
const runsBack = 500

// open are the portal's runs of a mode that are not over, the newest paused one only:
// later ones have replaced those before.
func (p Passes) open(ctx context.Context, memberID string, mode leads.RunMode) ([]leads.Run, error) {
	runs, err := p.db.Runs(ctx, memberID, runsBack)
	if err != nil {
		return nil, err
	}
	var open []leads.Run
	for _, run := range runs {
		if run.Mode != mode {
			continue
		}
		if run.State == leads.RunCompleted && !run.DryRun {
			break
		}
		if !run.Finished() {
			open = append(open, run)
		}
	}
	return open, nil
}
