package service

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"leadsync/alert"
	"leadsync/leads/leadstest"
	"leadsync/owner"
)

// seen is what a look found: problems, and portals with whether this process serves them; nil
// where the database did not answer.
func seen(portals map[string]bool, problems ...string) *outlook {
	o := &outlook{problems: map[string]string{}, portals: portals, blind: portals == nil}
	for _, component := range problems {
		o.problems[component] = "fails"
	}
	return o
}

// What was not looked at, or for too short a time, is unknown.
func TestWhatWasNotLookedAtIsUnknown(t *testing.T) {
	const domain = "company.bitrix24.com"
	ours, theirs := map[string]bool{domain: true}, map[string]bool{domain: false}
	portal, callbacks := ofPortal+domain, ofCallbacks+domain
	always := []string{componentNATS, componentSpool, componentDatabase}
	all := slices.Concat(always, []string{"outbox", "adopted leads", portal, callbacks, alert.TheRest})
	now, settled := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC), settlement{}
	for _, step := range []struct {
		name    string
		later   time.Duration
		found   *outlook
		unknown []string
	}{
		{"the start waits for the database", 0, seen(nil, componentDatabase), []string{"outbox", "adopted leads", portal, callbacks, alert.TheRest}},
		{"the database answers", time.Hour, seen(ours), []string{portal, callbacks, alert.TheRest}},
		{"it has just been served", owner.PressingAfter, seen(ours), []string{portal, callbacks, alert.TheRest}},
		{"it has been served for long", settling, seen(ours), nil},
		{"NATS does not say which notices wait", time.Second, seen(ours, componentNATS), []string{portal, callbacks}},
		{"its answers fail, so that no test event is asked for", time.Second, seen(ours, portal), []string{callbacks}},
		{"another process has taken it", time.Second, seen(theirs), []string{portal, callbacks, alert.TheRest}},
		{"and has served it for long", settling, seen(theirs), nil},
		{"the database is lost for a moment", time.Second, seen(nil, componentDatabase), []string{"outbox", "adopted leads", portal, callbacks, alert.TheRest}},
		{"and is back", time.Second, seen(theirs), []string{portal, callbacks, alert.TheRest}},
		{"the clock is set back", -time.Hour, seen(theirs), []string{portal, callbacks, alert.TheRest}},
		{"and time goes on", settling, seen(theirs), nil},
		{"the portal was removed", time.Second, seen(map[string]bool{}), nil},
	} {
		now = now.Add(step.later)
		unknown := settled.unknown(step.found, now)
		var got []string
		for _, component := range all {
			if unknown(component) && step.found.problems[component] == "" {
				got = append(got, component)
			}
		}
		if !slices.Equal(got, step.unknown) {
			t.Errorf("%s: unknown are %q, want %q", step.name, got, step.unknown)
		}
	}
}

// The metrics keep a problem while nobody can look whether it is over.
func TestMetricsKeepWhatIsUnknown(t *testing.T) {
	var w *watched
	for i, step := range []struct {
		found   *outlook
		unknown bool
		want    int // unknown problems
	}{
		{seen(map[string]bool{}, "portal x"), false, 0},
		{seen(nil, componentDatabase), true, 1},
		{seen(nil, componentDatabase), true, 1},
		{seen(map[string]bool{}, "portal x"), true, 0},
		{seen(nil), true, 1},
		{seen(map[string]bool{}), false, 0},
	} {
		w = w.next(step.found, func(component string) bool { return step.unknown && component == "portal x" }, nil)
		if len(w.unknown) != step.want {
			t.Errorf("step %d: unknown are %v", i, w.unknown)
		}
	}
}

// messages is a channel that passes on what it gets.
type messages chan alert.Message

func (messages) Name() string { return "test" }

func (c messages) Send(_ context.Context, m alert.Message) error { c <- m; return nil }

// A look at a running service tells what it could not look at; the alarms of that stay open.
func TestALostDatabaseEndsNoAlarm(t *testing.T) {
	t.Parallel()
	p := openPages(t, 3)
	p.portal.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	var found *outlook
	p.until("the portal is served", func() bool {
		found = p.service.ready.look(t.Context())
		return slices.Contains(slices.Collect(maps.Values(found.portals)), true)
	})
	domain := slices.Collect(maps.Keys(found.portals))[0]
	now, got := time.Now(), make(messages, 10)
	alarms, err := alert.Open(alert.Config{
		Channels: []alert.Channel{got}, Delay: time.Minute, File: filepath.Join(t.TempDir(), "alarms.json"), Now: func() time.Time { return now }, Log: leadstest.Silent(),
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = alarms.Run(t.Context()) }()
	settled := settlement{}
	observe := func(o *outlook) {
		now = now.Add(time.Minute)
		alarms.Observe(o.problems, settled.unknown(o, now))
	}
	failing := seen(found.portals, ofPortal+domain)
	observe(failing)
	observe(failing)
	if m := <-got; m.Component != ofPortal+domain || m.Status != alert.Firing {
		t.Fatalf("got %+v", m)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		observe(p.service.ready.look(gone)) // a database that does not answer
	}
	if m := <-got; m.Component != componentDatabase || m.Status != alert.Firing {
		t.Errorf("got %+v", m)
	}
}
