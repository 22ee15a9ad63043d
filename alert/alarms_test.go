package alert_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"leadsync/alert"
	"leadsync/leads/leadstest"
)

// receiver is a channel that keeps what it gets.
type receiver struct {
	name string

	mu   sync.Mutex
	got  []alert.Message
	fail error
}

func (r *receiver) Name() string { return r.name }

func (r *receiver) Send(_ context.Context, m alert.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.got = append(r.got, m)
	return nil
}

func (r *receiver) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// said are the messages so far, as status and component.
func (r *receiver) said() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got {
		list = append(list, string(m.Status)+" "+m.Component)
	}
	return list
}

// desk is alarms with a clock that a test sets.
type desk struct {
	t      *testing.T
	now    time.Time
	cfg    alert.Config
	alarms *alert.Alarms
	stop   func()
}

func newDesk(t *testing.T, channels ...alert.Channel) *desk {
	t.Helper()
	d := &desk{t: t, now: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	d.cfg = alert.Config{
		Channels: channels, Delay: time.Minute, File: filepath.Join(t.TempDir(), "alarms.json"), Instance: "box", Version: "v1",
		Now: func() time.Time { return d.now }, Log: leadstest.Silent(),
	}
	d.start()
	return d
}

func (d *desk) start() {
	d.t.Helper()
	alarms, err := alert.Open(d.cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = alarms.Run(ctx) }()
	d.alarms, d.stop = alarms, func() { cancel(); <-done }
	d.t.Cleanup(d.stop)
}

// see observes after some time.
func (d *desk) see(later time.Duration, problems map[string]string) {
	d.now = d.now.Add(later)
	d.alarms.Observe(problems)
}

func (d *desk) want(r *receiver, list ...string) {
	d.t.Helper()
	for limit := time.Now().Add(5 * time.Minute); !slices.Equal(r.said(), list); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			d.t.Fatalf("%s got %v, want %v", r.name, r.said(), list)
		}
	}
}

var database = map[string]string{"database": "unavailable"}

// A problem is reported once when it has lasted, and once when it is over; a blip is not.
func TestAProblemIsReportedOnceAndResolvedOnce(t *testing.T) {
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	d.see(0, map[string]string{"nats": "starting"})
	d.see(30*time.Second, nil) // a blip
	d.see(0, database)
	d.see(59*time.Second, database)
	d.see(time.Second, map[string]string{"database": "refuses the login"})
	d.want(r, "firing database")
	for range 10 {
		d.see(time.Minute, map[string]string{"database": "for other reasons"})
	}
	d.see(time.Second, nil)
	d.see(30*time.Second, database) // it was not over yet
	d.see(time.Second, nil)
	ended := d.now
	d.see(time.Minute, nil)
	d.want(r, "firing database", "resolved database")
	first, second := r.got[0], r.got[1]
	if first.Reason != "refuses the login" || first.ID == "" || first.ID != second.ID || first.Key() == second.Key() || first.Until != nil {
		t.Errorf("messages %+v, %+v", first, second)
	}
	if second.Until == nil || !second.Until.Equal(ended) || !second.Since.Equal(first.Since) || first.Instance != "box" || first.Text == "" {
		t.Errorf("resolved: %+v", second)
	}
	d.see(time.Hour, database)
	d.see(time.Minute, database)
	d.want(r, "firing database", "resolved database", "firing database")
	if r.got[2].ID == first.ID {
		t.Error("another problem has the same id")
	}
}

// A channel that fails is tried again and keeps no other waiting; what is over by then is
// reported once, as over.
func TestAChannelThatFailsCatchesUp(t *testing.T) {
	good, bad := &receiver{name: "good"}, &receiver{name: "bad", fail: busy{}}
	d := newDesk(t, good, bad)
	d.see(0, database)
	d.see(time.Minute, database)
	d.want(good, "firing database")
	d.see(time.Second, nil)
	d.see(time.Minute, nil)
	d.want(good, "firing database", "resolved database")
	bad.set(nil)
	d.want(bad, "resolved database")
}

// busy asks to be tried again at once.
type busy struct{}

func (busy) Error() string             { return "busy" }
func (busy) RetryAfter() time.Duration { return time.Millisecond }

// A restart reports nothing twice, and what ended meanwhile is reported as over.
func TestARestartReportsNothingTwice(t *testing.T) {
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	d.see(0, database)
	d.see(time.Minute, database)
	d.want(r, "firing database")
	d.stop()
	d.start()
	d.see(time.Minute, database)
	d.stop()
	d.start()
	d.see(time.Minute, nil)
	d.see(time.Minute, nil)
	d.want(r, "firing database", "resolved database")
}

// What could not be sent before a stop is sent after the next start.
func TestAnUnsentAlarmSurvivesARestart(t *testing.T) {
	r := &receiver{name: "one", fail: errors.New("no network")}
	d := newDesk(t, r)
	d.see(0, database)
	d.see(time.Minute, database)
	d.stop()
	r.set(nil)
	d.start()
	d.want(r, "firing database")
}
