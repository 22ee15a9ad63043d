package winservice_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/winservice"
)

// scm is the service manager of a test. Its clock stands still until the test lets a pause end.
type scm struct {
	t        *testing.T
	requests chan winservice.Request
	reports  chan winservice.Status
	pauses   chan pause
	ended    chan end
}

type pause struct {
	lasts time.Duration
	over  chan time.Time
}

type end struct {
	asked bool
	err   error
}

func live(t *testing.T, work func(context.Context) error) *scm {
	t.Helper()
	m := &scm{t, make(chan winservice.Request), make(chan winservice.Status, 99), make(chan pause, 99), make(chan end, 1)}
	l := winservice.Life{Work: work, Requests: m.requests, Report: func(s winservice.Status) { m.reports <- s }, After: m.after}
	go func() {
		asked, err := l.Live(t.Context())
		m.ended <- end{asked, err}
	}()
	return m
}

func (m *scm) after(d time.Duration) <-chan time.Time {
	p := pause{d, make(chan time.Time, 1)}
	m.pauses <- p
	return p.over
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("no %s after a minute", what)
		panic("unreachable")
	}
}

func (m *scm) ask(r winservice.Request) {
	m.t.Helper()
	select {
	case m.requests <- r:
	case <-time.After(time.Minute):
		m.t.Fatal("nobody takes the request")
	}
}

func (m *scm) wantReport(want winservice.Phase) winservice.Status {
	m.t.Helper()
	got := receive(m.t, m.reports, "report")
	if got.Phase != want {
		m.t.Fatalf("it reports %+v, want phase %d", got, want)
	}
	if pending := want != winservice.Running; pending != (got.WaitHint > 0) || pending != (got.Checkpoint > 0) {
		m.t.Errorf("%+v: wait hint and checkpoint belong to what is pending", got)
	}
	return got
}

func (m *scm) wantEnd(asked bool) error {
	m.t.Helper()
	got := receive(m.t, m.ended, "end")
	if got.asked != asked {
		m.t.Errorf("asked: %t, want %t", got.asked, asked)
	}
	return got.err
}

// wait lets the next pause end and returns how long it lasts.
func (m *scm) wait() time.Duration {
	m.t.Helper()
	p := receive(m.t, m.pauses, "pause")
	p.over <- time.Time{}
	return p.lasts
}

func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestALifeFromStartToStop(t *testing.T) {
	m := live(t, untilStopped)
	m.wantReport(winservice.StartPending)
	m.wait()
	m.wantReport(winservice.Running)
	m.ask(winservice.Interrogate)
	m.wantReport(winservice.Running)
	m.ask(winservice.Stop)
	m.wantReport(winservice.StopPending)
	if err := m.wantEnd(true); err != nil {
		t.Error(err)
	}
}

func TestAFaultyStartNeverRuns(t *testing.T) {
	fault := errors.New("the port is taken")
	m := live(t, func(context.Context) error { return fault })
	if err := m.wantEnd(false); !errors.Is(err, fault) {
		t.Errorf("error %v, want %v", err, fault)
	}
	m.wantReport(winservice.StartPending)
	select {
	case s := <-m.reports:
		t.Errorf("it reports %+v, too", s)
	default:
	}
}

func TestAnEndThatNobodyAskedForIsAFailure(t *testing.T) {
	finish := make(chan struct{})
	m := live(t, func(context.Context) error { <-finish; return nil })
	m.wantReport(winservice.StartPending)
	m.wait()
	m.wantReport(winservice.Running)
	close(finish)
	if err := m.wantEnd(false); err == nil {
		t.Error("no error, so the service manager would not start it again")
	}
}

func TestALongStopReportsProgress(t *testing.T) {
	finish := make(chan struct{})
	m := live(t, func(ctx context.Context) error { <-ctx.Done(); <-finish; return nil })
	m.wantReport(winservice.StartPending)
	settle := receive(t, m.pauses, "pause")
	m.ask(winservice.Stop) // while it starts
	before := m.wantReport(winservice.StopPending)
	limit := receive(t, m.pauses, "limit")
	if limit.lasts != winservice.StopLimit {
		t.Fatalf("the first pause of a stop is %s, want the limit", limit.lasts)
	}
	settle.over <- time.Time{} // a start that settles meanwhile is no news
	for range 5 {
		if lasts := m.wait(); lasts >= before.WaitHint {
			t.Errorf("a report comes after %s, the hint of the one before says %s", lasts, before.WaitHint)
		}
		now := m.wantReport(winservice.StopPending)
		if now.Checkpoint != before.Checkpoint+1 {
			t.Errorf("checkpoint %d after %d", now.Checkpoint, before.Checkpoint)
		}
		before = now
	}
	m.ask(winservice.Stop)
	if now := m.wantReport(winservice.StopPending); !cmp.Equal(now, before) {
		t.Errorf("a second stop is answered by %+v, want %+v again", now, before)
	}
	close(finish)
	if err := m.wantEnd(true); err != nil {
		t.Error(err)
	}
}

func TestAStopThatHangsEnds(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	m := live(t, func(context.Context) error { <-hang; return nil })
	m.wantReport(winservice.StartPending)
	m.wait()
	m.wantReport(winservice.Running)
	m.ask(winservice.Stop)
	m.wantReport(winservice.StopPending)
	m.wait() // the limit
	if err := m.wantEnd(true); err == nil {
		t.Error("no error, want that the stop lasted too long")
	}
}
