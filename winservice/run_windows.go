package winservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// Run obeys the service manager, which has started this process, until it stops the service.
func Run(ctx context.Context, work Work) error {
	places, _, err := ThisMachine()
	if err != nil {
		return err
	}
	log, err := eventlog.Open(Name)
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	defer func() { _ = log.Close() }()
	file := NewLogFile(places.LogFile())
	defer func() { _ = file.Close() }()
	keepCrashes(places.Logs)
	// Windows tells every service when somebody logs off, and Go takes that for a signal to end.
	ctx = context.WithoutCancel(ctx)
	lines := slog.New(Log{File: file, events: log}.Handler(slog.NewJSONHandler(file, nil)))
	err = svc.Run(Name, &manager{log: lines, events: log, live: func(l Life) (bool, error) {
		l.Work = func(ctx context.Context) error { return work(ctx, Log{File: file, events: log}) }
		return l.Live(ctx)
	}})
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return errors.New("leadsync service run: only the service manager of Windows starts this, want `leadsync service start` or `leadsync serve`")
	}
	return err
}

// keepCrashes has Go write what it says of a crash into a file: a service has no console.
func keepCrashes(dir string) {
	file, err := os.OpenFile(filepath.Join(dir, "crash.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // below our own directory
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }() // Go keeps a handle of its own
	_ = debug.SetCrashOutput(file, debug.CrashOptions{})
}

// manager translates between the service manager and a Life.
type manager struct {
	log    *slog.Logger
	events events // for what people look for there, though it is no warning
	live   func(Life) (asked bool, err error)
}

// failed is the exit code that has the service manager start the service again.
const failed = 1

// Execute implements svc.Handler. Windows learns of the end by what it returns.
func (m *manager) Execute(_ []string, requests <-chan svc.ChangeRequest, report chan<- svc.Status) (specific bool, code uint32) {
	translated := make(chan Request)
	done := make(chan struct{})
	defer close(done)
	go translate(requests, translated, done)
	_ = m.events.Info(eventID, "leadsync starts")
	asked, err := m.live(Life{Requests: translated, Report: func(s Status) { report <- status(s) }, After: time.After})
	if err != nil {
		m.log.Error("leadsync ended", "error", err)
	} else {
		_ = m.events.Info(eventID, "leadsync stopped")
	}
	if asked {
		return true, 0
	}
	return true, failed
}

func translate(from <-chan svc.ChangeRequest, to chan<- Request, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case r := <-from:
			request := Interrogate
			if r.Cmd == svc.Stop || r.Cmd == svc.PreShutdown {
				request = Stop
			}
			select {
			case to <- request:
			case <-done:
				return
			}
		}
	}
}

func status(s Status) svc.Status {
	out := svc.Status{CheckPoint: s.Checkpoint, WaitHint: uint32(s.WaitHint.Milliseconds())} //nolint:gosec // seconds
	switch s.Phase {
	case StartPending:
		out.State = svc.StartPending
	case Running:
		// Before it shuts down, Windows waits for services as long as they asked (installPreshutdown); at the shutdown
		// itself only five seconds.
		out.State, out.Accepts = svc.Running, svc.AcceptStop|svc.AcceptPreShutdown
	case StopPending:
		out.State = svc.StopPending
	}
	return out
}
