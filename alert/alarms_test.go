package alert_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/alert"
	"leadsync/leads"
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
	d.blind(later, problems)
}

// blind observes after some time, and cannot look at some components.
func (d *desk) blind(later time.Duration, problems map[string]string, unknown ...string) {
	d.now = d.now.Add(later)
	d.alarms.Observe(problems, func(component string) bool { return slices.Contains(unknown, component) })
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

// What nobody could look at is not over, and neither is it another problem afterwards.
func TestWhatIsUnknownIsNotOver(t *testing.T) {
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	portal := map[string]string{"portal x": "does not answer"}
	d.see(0, portal)
	d.see(time.Minute, portal)
	d.want(r, "firing portal x")
	for range 10 { // the database is lost, then the process starts again and has not looked yet
		d.blind(time.Minute, database, "portal x")
	}
	d.want(r, "firing portal x", "firing database")
	d.stop()
	d.start()
	for range 3 {
		d.blind(time.Minute, nil, "portal x")
	}
	d.want(r, "firing portal x", "firing database", "resolved database")
	d.see(time.Minute, portal)
	d.see(time.Minute, nil)
	d.see(time.Minute, nil)
	d.want(r, "firing portal x", "firing database", "resolved database", "resolved portal x")
	if r.got[0].ID != r.got[3].ID {
		t.Error("it ends under another id")
	}
}

// A process that crashes again and again before the delay is over still reports what lasts, once.
func TestACrashLoopIsReported(t *testing.T) {
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	for range 20 { // 17 minutes
		for range 5 {
			d.see(10*time.Second, database)
		}
		d.stop()
		d.start()
	}
	d.want(r, "firing database")
	d.see(10*time.Second, nil)
	d.see(time.Minute, nil)
	d.want(r, "firing database", "resolved database")
}

// What a process saw for a moment before it ended is forgotten: another start, days later, does not
// report it at once.
func TestABlipBeforeAStopIsNoAlarmDaysLater(t *testing.T) {
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	nats := map[string]string{"nats": "starting"}
	d.see(0, nats)
	for _, later := range []time.Duration{48 * time.Hour, 30 * time.Second} {
		d.stop()
		d.now = d.now.Add(later)
		d.start()
		d.see(0, nats)
		d.see(5*time.Second, nil)
	}
	d.see(0, database)
	d.see(time.Minute, database)
	d.want(r, "firing database")
}

// More problems at once than are reported one by one end none of those that lasted before.
func TestAFloodEndsNothing(t *testing.T) {
	first, second := map[string]string{}, map[string]string{}
	for i := range 20 {
		first[fmt.Sprintf("a %02d", i)], second[fmt.Sprintf("b %02d", i)] = "is blocked", "is blocked"
	}
	all := map[string]string{}
	maps.Copy(all, first)
	maps.Copy(all, second)
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	d.see(0, first)
	d.see(time.Minute, first)
	d.see(10*time.Second, second) // the first ones pause for less than the delay
	for range 10 {
		d.see(20*time.Second, all)
	}
	eventually(t, func() bool { return len(r.said()) == 40 })
	for _, line := range r.said() {
		if !strings.HasPrefix(line, "firing") {
			t.Errorf("sent: %s", line)
		}
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

// Without a channel nothing piles up, and a channel that is added later hears nothing of the past.
func TestWithoutChannelsNothingIsKept(t *testing.T) {
	d := newDesk(t)
	for range 3 {
		d.see(time.Minute, database)
		d.see(time.Minute, database)
		d.see(time.Minute, nil)
		d.see(time.Minute, nil)
	}
	d.stop()
	if kept, err := os.ReadFile(d.cfg.File); err != nil || strings.Contains(string(kept), "database") {
		t.Errorf("kept %s, %v", kept, err)
	}
	r := &receiver{name: "new"}
	d.cfg.Channels = []alert.Channel{r}
	d.start()
	d.see(time.Minute, map[string]string{"nats": "down"})
	d.see(time.Minute, map[string]string{"nats": "down"})
	d.want(r, "firing nats")
}

// Ten thousand problems at once are some messages and one about the rest, once each, a restart
// in between or not, and so is their end.
func TestManyProblemsAreFewMessages(t *testing.T) {
	problems := map[string]string{}
	for i := range 10_000 {
		problems[fmt.Sprintf("portal %05d", i)] = "is blocked"
	}
	r := &receiver{name: "one"}
	d := newDesk(t, r)
	late := map[string]string{"zz first": "down"}
	d.see(0, late)
	d.see(time.Minute, late)
	d.want(r, "firing zz first")
	problems["zz first"] = "down"
	d.see(0, problems)
	d.see(time.Minute, problems)
	eventually(t, func() bool { return len(r.said()) == 21 })
	d.stop()
	d.start()
	d.see(time.Minute, problems)
	d.see(time.Minute, nil)
	d.see(time.Minute, nil)
	eventually(t, func() bool { return len(r.said()) >= 42 })
	got := map[string]int{}
	for _, line := range r.said() {
		got[line]++
	}
	for _, want := range []string{"firing zz first", "firing more problems", "firing portal 00000", "resolved zz first", "resolved more problems", "resolved portal 00018"} {
		if got[want] != 1 {
			t.Errorf("%d × %s", got[want], want)
		}
	}
	if len(got) != 42 || !strings.Contains(reasons(r), "9981 further components") {
		t.Errorf("%d messages: %v", len(got), got)
	}
}

func reasons(r *receiver) string {
	var all strings.Builder
	for _, m := range r.got {
		all.WriteString(m.Reason + "\n")
	}
	return all.String()
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(5 * time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("it did not happen")
		}
	}
}

// A receiver that takes a message and never answers keeps no other waiting, stops no service, and
// however long it hangs, little is kept for it.
func TestAReceiverThatHangsHoldsNothingUp(t *testing.T) {
	arrived, release := make(chan struct{}, 1000), make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release }))
	defer target.Close()
	defer close(release)
	var log leadstest.Log
	good := &receiver{name: "good"}
	d := newDesk(t, &alert.Webhook{URL: leads.Secret(target.URL + "/SECRET")}, good)
	d.stop()
	d.cfg.Log = log.Logger()
	d.start()
	d.see(0, database)
	d.see(time.Minute, database)
	<-arrived
	d.want(good, "firing database")
	for range 300 {
		d.see(time.Second, nil)
		d.see(time.Minute, nil)
		d.see(time.Second, database)
		d.see(time.Minute, database)
	}
	eventually(t, func() bool { said := good.said(); return said[len(said)-1] == "firing database" && len(said) > 1 })
	d.stop()
	kept, err := os.ReadFile(d.cfg.File)
	if n := strings.Count(string(kept), `"component"`); err != nil || n < 100 || n > 102 {
		t.Errorf("%d alarms are kept, %v", n, err)
	}
	if strings.Contains(log.String(), "SECRET") || strings.Contains(string(kept), "SECRET") {
		t.Error("the address is in a log or a file")
	}
}

// Neither an answer nor a receiver that is gone brings the secret of an address into the log.
func TestLogsHaveNoSecret(t *testing.T) {
	target := httptest.NewServer(http.NotFoundHandler())
	var log leadstest.Log
	d := newDesk(t, &alert.Webhook{URL: leads.Secret(target.URL + "/SECRET?key=SECRET")})
	d.stop()
	d.cfg.Log = log.Logger()
	for range 2 {
		d.start()
		before := strings.Count(log.String(), "trying again")
		d.see(time.Minute, database)
		d.see(time.Minute, database)
		eventually(t, func() bool { return strings.Count(log.String(), "trying again") > before })
		d.stop()
		target.Close()
	}
	if !strings.Contains(log.String(), "404") || strings.Contains(log.String(), "SECRET") {
		t.Errorf("the log: %s", &log)
	}
}
