package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"leadsync/retry"
)

// Config says who is told, and when.
type Config struct {
	Channels []Channel
	// Delay is how long a problem lasts before it is reported, and how long it has been over
	// before that is: a blip is no alarm.
	Delay time.Duration
	// File keeps the problems: a start reports nothing twice, what ended while the process was
	// down is reported as over, and a process that restarts again and again still notices how
	// long a problem lasts.
	File              string
	Instance, Version string // of messages
	// See says where more is said of a component's problems; "" is nowhere, and nil is always that.
	See func(component string) string
	Now func() time.Time
	Log *slog.Logger
}

// alarm is a problem that lasts, or has ended and is still to be reported as over.
type alarm struct {
	ID        string            `json:"id"`
	Component string            `json:"component"`
	Reason    string            `json:"reason"`
	Since     time.Time         `json:"since"`
	Seen      time.Time         `json:"seen"`          // when it was there last; not kept up to date once it has fired
	Gone      time.Time         `json:"gone,omitzero"` // when it was seen to be over; zero while it lasts
	Fired     bool              `json:"fired"`         // it lasted longer than the delay
	Ended     bool              `json:"ended"`         // it has been over for the delay
	Told      map[string]Status `json:"told"`          // by channel
}

// Alarms report problems. Observe and Run may be called at the same time.
type Alarms struct {
	cfg  Config
	wake map[string]chan struct{} // of each channel

	mu     sync.Mutex
	alarms []*alarm
}

// Open reads what an earlier process has reported. A damaged file is left behind.
func Open(cfg Config) (*Alarms, error) {
	a := &Alarms{cfg: cfg, wake: map[string]chan struct{}{}}
	for _, c := range cfg.Channels {
		a.wake[c.Name()] = make(chan struct{}, 1)
	}
	data, err := os.ReadFile(cfg.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read reported alarms: %w", err)
	default:
		if err := json.Unmarshal(data, &a.alarms); err != nil {
			cfg.Log.Warn("file of reported alarms is damaged, starting a new one", "file", cfg.File, "error", err)
			a.alarms = nil
		}
	}
	for _, one := range a.alarms {
		if one.Told == nil {
			one.Told = map[string]Status{}
		}
	}
	// What nobody saw for longer than the pauses of a crash loop may have been over meanwhile.
	a.alarms = slices.DeleteFunc(a.alarms, func(one *alarm) bool { return !one.Fired && cfg.Now().Sub(one.Seen) > unseenDelays*cfg.Delay })
	a.forget()
	return a, nil
}

// unseenDelays is after how many delays a problem that was not reported yet is taken for a new
// one. Systems that restart a process wait up to five minutes before they do.
const unseenDelays = 10

// Observe takes the problems as they are now, by component. Of components for which unknown is
// true, the caller could not find out whether they have one: their alarms stay as they are.
func (a *Alarms) Observe(problems map[string]string, unknown func(component string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	problems = a.fewer(problems)
	now, changed, news := a.cfg.Now(), false, false
	lasting := map[string]bool{}
	for _, one := range a.alarms {
		if one.Ended {
			continue
		}
		lasting[one.Component] = true
		reason, still := problems[one.Component]
		if !still && unknown(one.Component) {
			continue
		}
		differs, tell := one.see(reason, still, now, a.cfg.Delay)
		changed, news = changed || differs, news || tell
	}
	a.forget()
	for component, reason := range problems {
		if !lasting[component] {
			a.alarms = append(a.alarms, &alarm{ID: uuid.NewString(), Component: component, Reason: reason, Since: now, Seen: now, Told: map[string]Status{}})
			changed = true
		}
	}
	if changed {
		a.save()
	}
	if news {
		for _, wake := range a.wake {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}
}

const (
	// most is how many problems are reported one by one: nobody reads more messages than that.
	most = 20
	// TheRest is the component of the one message about all others.
	TheRest = "more problems"
	// mostEnded is how many problems that are over wait for a channel that does not work.
	mostEnded = 100
)

// fewer are those problems that are known already, new ones up to most of all, and one for the rest.
func (a *Alarms) fewer(problems map[string]string) map[string]string {
	if len(problems) <= most {
		return problems
	}
	known := map[string]bool{}
	for _, one := range a.alarms {
		known[one.Component] = known[one.Component] || !one.Ended
	}
	names := slices.SortedFunc(maps.Keys(problems), func(x, y string) int {
		if known[x] != known[y] {
			if known[x] {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	old := 0 // known ones are never left out: that would report them as over
	for _, name := range names {
		if known[name] {
			old++
		}
	}
	shown := max(most, old)
	kept := map[string]string{}
	for _, name := range names[:shown] {
		kept[name] = problems[name]
	}
	if rest := len(names) - shown; rest > 0 {
		kept[TheRest] = fmt.Sprintf("%d further components have a problem; GET /readyz names them", rest)
	}
	return kept
}

// forget drops what no channel has to be told any more. Of what is over and could not be sent it
// keeps the newest, and first of all those whose beginning a channel has reported.
func (a *Alarms) forget() {
	ended := 0
	a.alarms = slices.DeleteFunc(a.alarms, func(one *alarm) bool {
		waits := func(c Channel) bool { return one.Told[c.Name()] != Resolved }
		drop := one.Ended && (!one.Fired || !slices.ContainsFunc(a.cfg.Channels, waits))
		if one.Ended && !drop {
			ended++
		}
		return drop
	})
	for _, told := range []bool{false, true} {
		a.alarms = slices.DeleteFunc(a.alarms, func(one *alarm) bool {
			drop := one.Ended && ended > mostEnded && len(one.Told) > 0 == told
			if drop {
				ended--
			}
			return drop
		})
	}
}

// see notes whether the problem lasts. changed is what the file has to know, tell is what the
// channels have to.
func (o *alarm) see(reason string, still bool, now time.Time, delay time.Duration) (changed, tell bool) {
	if o.Since.After(now) { // the clock was set back
		o.Since = now
	}
	if o.Gone.After(now) {
		o.Gone = now
	}
	if still {
		changed = !o.Fired || !o.Gone.IsZero()
		o.Gone, o.Reason, o.Seen = time.Time{}, reason, now
		tell = !o.Fired && now.Sub(o.Since) >= delay
		o.Fired = o.Fired || tell
		return changed, tell
	}
	if o.Gone.IsZero() {
		o.Gone, changed = now, true
	}
	o.Ended = !o.Fired || now.Sub(o.Gone) >= delay
	return changed || o.Ended, o.Ended && o.Fired
}

// Run sends what is to be reported until the context ends.
func (a *Alarms) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	for _, c := range a.cfg.Channels {
		sending.Go(func() { a.serve(ctx, c) })
	}
	sending.Wait()
	return nil
}

// repeat is how long to wait after a message that could not be sent.
var repeat = retry.Policy{First: 5 * time.Second, Max: 5 * time.Minute, Jitter: 10}

// serve sends what is to be reported on one channel. One that fails does not keep the others
// from their work, and what is over by the time that it works again is reported once.
func (a *Alarms) serve(ctx context.Context, c Channel) {
	loop := retry.Loop{Policy: repeat, Failed: func(err error, _ int, pause time.Duration) {
		a.cfg.Log.WarnContext(ctx, "alarm could not be sent, trying again", "channel", c.Name(), "error", err, "pause", pause)
	}}
	for {
		if loop.Until(ctx, func(ctx context.Context) error { return a.deliver(ctx, c) }) != nil {
			return // the context has ended
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wake[c.Name()]:
		}
	}
}

// deliver sends everything that a channel has not been told.
func (a *Alarms) deliver(ctx context.Context, c Channel) error {
	for {
		one, message := a.next(c.Name())
		if one == nil {
			return nil
		}
		if err := c.Send(ctx, message); err != nil {
			return err
		}
		a.cfg.Log.InfoContext(ctx, "alarm sent", "channel", c.Name(), "status", message.Status, "component", message.Component)
		a.told(one, c.Name(), message.Status)
	}
}

// next is the oldest message that a channel has not sent; nil where there is none.
func (a *Alarms) next(channel string) (*alarm, Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.alarms {
		if one.Fired && one.Told[channel] != one.status() {
			return one, a.message(one)
		}
	}
	return nil, Message{}
}

func (o *alarm) status() Status {
	if o.Ended {
		return Resolved
	}
	return Firing
}

func (a *Alarms) message(one *alarm) Message {
	m := Message{
		ID: one.ID, Status: one.status(), Component: one.Component, Reason: one.Reason, Since: one.Since,
		Instance: a.cfg.Instance, Version: a.cfg.Version,
	}
	if one.Ended {
		until := one.Gone
		m.Until = &until
	}
	if a.cfg.See != nil && !one.Ended {
		m.See = a.cfg.See(one.Component)
	}
	m.Text = m.sentence()
	return m
}

// told notes that a channel has sent a message, and forgets what is over for all of them.
func (a *Alarms) told(one *alarm, channel string, status Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one.Told[channel] = status
	a.forget()
	a.save()
}

// save keeps what was reported. Without the file the next start may report something twice.
func (a *Alarms) save() {
	data, err := json.Marshal(a.alarms)
	if err == nil {
		err = os.WriteFile(a.cfg.File+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(a.cfg.File+".new", a.cfg.File)
	}
	if err != nil {
		a.cfg.Log.Warn("reported alarms could not be kept", "error", err)
	}
}
