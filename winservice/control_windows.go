package winservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

var errNotRunning = errors.New("the service leadsync does not run")

func withService(work func(*mgr.Service) error) error {
	m, err := connect()
	if err != nil {
		return err
	}
	defer func() { _ = m.Disconnect() }()
	s, err := m.OpenService(Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return errors.New("the service leadsync is not installed, want `leadsync service install`")
	}
	if err != nil {
		return fmt.Errorf("open the service: %w", err)
	}
	defer func() { _ = s.Close() }()
	return work(s)
}

// StartService starts the service and waits until it runs, or has failed.
func StartService() error {
	places, _, err := ThisMachine()
	if err != nil {
		return err
	}
	return withService(func(s *mgr.Service) error {
		// It may be starting already, after a failure.
		if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return fmt.Errorf("start the service: %w", err)
		}
		state, err := await(s, svc.Running, svc.Stopped)
		if err == nil && state == svc.Stopped {
			return fmt.Errorf("the service ended at once; the event log (Application, source leadsync) and %s say why", places.LogFile())
		}
		return err
	})
}

// StopService stops the service and waits for its end.
func StopService() error {
	return withService(func(s *mgr.Service) error {
		if _, err := s.Control(svc.Stop); errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
			return errNotRunning
		} else if err != nil {
			return fmt.Errorf("stop the service: %w", err)
		}
		_, err := await(s, svc.Stopped)
		return err
	})
}

// await asks until the service is in one of the states.
func await(s *mgr.Service, states ...svc.State) (svc.State, error) {
	ctx, cancel := context.WithTimeout(context.Background(), StopLimit+waitHint)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := s.Query()
		if err != nil {
			return 0, fmt.Errorf("ask for the state of the service: %w", err)
		}
		if slices.Contains(states, now.State) {
			return now.State, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return now.State, errors.New("the service does not answer: it is " + stateName(now.State))
		}
	}
}

func stateName(s svc.State) string {
	switch s {
	case svc.Stopped:
		return "stopped"
	case svc.StartPending:
		return "starting"
	case svc.StopPending:
		return "stopping"
	case svc.Running:
		return "running"
	default:
		return fmt.Sprintf("in state %d", s)
	}
}

// Installed tells whether the service manager knows the service.
func Installed() bool { return withService(func(*mgr.Service) error { return nil }) == nil }

// State says how the service is, and whether it runs.
func State() (words string, running bool, err error) {
	err = withService(func(s *mgr.Service) error {
		now, err := s.Query()
		if err != nil {
			return fmt.Errorf("ask for the state of the service: %w", err)
		}
		words, running = stateName(now.State), now.State == svc.Running
		if now.ProcessId != 0 {
			words += fmt.Sprintf(", process %d", now.ProcessId)
		}
		if now.State == svc.Stopped && now.ServiceSpecificExitCode != 0 {
			words += ", after a failure"
		}
		return nil
	})
	return words, running, err
}
