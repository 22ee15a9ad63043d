package winservice

import (
	"cmp"
	"context"
	"errors"
	"time"
)

var (
	errEndedAlone = errors.New("leadsync ended, though nobody stopped the service")
	errStopLasts  = errors.New("the stop took longer than 45 s, so the process ends in the middle of it")
)

// Phase is what the service manager shows as the state of a service.
type Phase int

// The phases of a life, in order.
const (
	StartPending Phase = iota + 1
	Running
	StopPending
)

// Status is what a service reports. Its end is no report: it is what Live returns.
type Status struct {
	Phase Phase
	// Checkpoint grows with each report while a phase is pending: the manager gives a service up whose checkpoint
	// stays the same for longer than WaitHint.
	Checkpoint uint32
	WaitHint   time.Duration
}

// Request is what the service manager asks for.
type Request int

// The requests that a service obeys.
const (
	Interrogate Request = iota + 1 // report again
	Stop                           // also when Windows shuts down
)

// How long things take. A stop finishes what is under way, which may take 30 s.
const (
	settle   = 2 * time.Second // wrong settings and ports that are taken end a start sooner
	progress = 3 * time.Second // between two reports while a stop lasts
	waitHint = 10 * time.Second
	// StopLimit is how long a stop may take before the process ends all the same.
	StopLimit = 45 * time.Second
)

// Life is one run of a service, from the manager's start to its end.
type Life struct {
	Work     func(context.Context) error // ends when its context does
	Requests <-chan Request
	Report   func(Status)
	After    func(time.Duration) <-chan time.Time // time.After
}

// Live works until the manager asks for a stop or the work ends. Where nobody asked, there is an error, and the
// manager starts the service again. After a stop that was asked for it must not, whatever went wrong meanwhile.
func (l Life) Live(ctx context.Context) (asked bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	now := Status{Phase: StartPending, Checkpoint: 1, WaitHint: waitHint}
	l.Report(now)
	go func() { ended <- l.Work(ctx) }()

	settled := l.After(settle)
	for {
		select {
		case err := <-ended:
			return false, cmp.Or(err, errEndedAlone)
		case <-settled:
			now, settled = Status{Phase: Running}, nil
			l.Report(now)
		case r := <-l.Requests:
			if r == Stop {
				cancel()
				return true, l.stop(ended)
			}
			l.Report(now)
		}
	}
}

// stop reports progress until the work has ended.
func (l Life) stop(ended <-chan error) error {
	now := Status{Phase: StopPending, Checkpoint: 1, WaitHint: waitHint}
	l.Report(now)
	limit, next := l.After(StopLimit), l.After(progress)
	for {
		select {
		case err := <-ended:
			return err
		case <-limit:
			return errStopLasts
		case <-next:
			now.Checkpoint++
			l.Report(now)
			next = l.After(progress)
		case <-l.Requests: // a second stop, or a question
			l.Report(now)
		}
	}
}
