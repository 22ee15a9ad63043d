package consumers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/consumers"
	"leadsync/leads"
)

// imported makes the mirror one that has seen its import, that long ago.
func (o *office) imported(ago time.Duration) {
	o.t.Helper()
	_, err := o.db.RequestRun(o.t.Context(), leads.Run{MemberID: o.member(), Mode: leads.RunImport, RequestedAt: time.Now().Add(-ago)})
	if err != nil {
		o.t.Fatal(err)
	}
	run, _, err := o.db.ClaimRun(o.t.Context(), o.member())
	if err != nil {
		o.t.Fatal(err)
	}
	run.State, run.PortalAt = leads.RunCompleted, time.Now().Add(-ago)
	if err := o.db.SaveRun(o.t.Context(), run); err != nil {
		o.t.Fatal(err)
	}
}

func TestAMissedNightlyPassRunsAtStart(t *testing.T) {
	o := open(t, 0)
	o.imported(25 * time.Hour)
	cfg := o.config("one", nil)
	cfg.NextPass = func(after time.Time) time.Time { return after.Add(24 * time.Hour) }
	o.work(cfg)
	o.until("it ran", func() bool { return slices.Contains(o.desk.asked(), "pass full") })
}

func TestANightlyPassIsDueOnceItsTimeHasCome(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC) }
	next := func(after time.Time) time.Time {
		due := time.Date(after.Year(), after.Month(), after.Day(), 3, 0, 0, 0, time.UTC)
		if !due.After(after) {
			due = due.AddDate(0, 0, 1)
		}
		return due
	}
	for _, c := range []struct {
		name      string
		last, now time.Time
		jitter    time.Duration
		want      bool
		seen      time.Time
	}{
		{"before its time", at(1, 0), at(2, 59), 0, false, at(0, 0)},
		{"at its time", at(1, 0), at(3, 0), 0, true, at(0, 0)},
		{"put off", at(1, 0), at(3, 4), 5 * time.Minute, false, at(0, 0)},
		{"at the time it was put off to", at(1, 0), at(3, 5), 5 * time.Minute, true, at(0, 0)},
		{"it was asked for at its time", at(3, 5), at(23, 0), 5 * time.Minute, false, at(0, 0)},
		{"the machine slept for days", at(3, 5).AddDate(0, 0, -4), at(2, 0), 5 * time.Minute, true, at(0, 0)},
		{"the clock was set back by a month", at(3, 5).AddDate(0, 1, 0), at(3, 6), 5 * time.Minute, true, at(2, 0)},
		{"it was set back and the pass was asked for", at(3, 5).AddDate(0, 1, 0), at(23, 0), 5 * time.Minute, false, at(3, 6)},
	} {
		if got := consumers.Due(next, c.last, c.seen, c.now, c.jitter); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestAnOwnerCatchesUpAtStart(t *testing.T) {
	o := open(t, 0)
	o.imported(time.Minute)
	cfg := o.config("one", nil)
	cfg.CatchUpEvery = time.Hour
	stop := o.work(cfg)
	o.until("what was changed is looked for", func() bool { return slices.Contains(o.desk.asked(), "pass changed") })
	stop()
	if slices.Contains(o.desk.asked(), "pass ids") {
		t.Error("ids were compared although there was no outage")
	}
}

func TestTheImportIsNotCaughtUpWith(t *testing.T) {
	o := open(t, 0)
	cfg := o.config("one", nil)
	cfg.CatchUpEvery = 10 * time.Millisecond
	o.work(cfg)
	o.until("it is served", func() bool { return strings.Contains(o.logged.String(), "portal is ours") })
	if calls := o.desk.asked(); len(calls) != 0 {
		t.Errorf("passes before the import: %v", calls)
	}
}

func TestChangesAreLookedForAtAnInterval(t *testing.T) {
	o := open(t, 0)
	o.imported(time.Minute)
	cfg := o.config("one", nil)
	cfg.CatchUpEvery = 20 * time.Millisecond
	o.work(cfg)
	o.until("three passes", func() bool {
		passes := 0
		for _, call := range o.desk.asked() {
			if call == "pass changed" {
				passes++
			}
		}
		return passes >= 3
	})
}
