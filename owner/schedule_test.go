package owner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/owner"
)

// imported stores an import that completed that long ago.
func (h *harness) imported(ago time.Duration) {
	h.t.Helper()
	_, err := h.db.RequestRun(h.t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunImport, RequestedAt: time.Now().Add(-ago)})
	if err != nil {
		h.t.Fatal(err)
	}
	run, _, err := h.db.ClaimRun(h.t.Context(), h.member())
	if err != nil {
		h.t.Fatal(err)
	}
	run.State, run.PortalAt = leads.RunCompleted, time.Now().Add(-ago)
	if err := h.db.SaveRun(h.t.Context(), run); err != nil {
		h.t.Fatal(err)
	}
}

func TestAMissedNightlyPassRunsAtStart(t *testing.T) {
	h := open(t, 0)
	h.imported(25 * time.Hour)
	cfg := h.config()
	cfg.NextPass = func(after time.Time) time.Time { return after.Add(24 * time.Hour) }
	h.work(cfg)
	h.until("it ran", func() bool { return slices.Contains(h.passes(), leads.RunFull) })
}

func TestAnImportThatWasGivenUpIsReportedAndRunsAgain(t *testing.T) {
	h := open(t, 3)
	if _, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunImport}); err != nil {
		t.Fatal(err)
	}
	run, _, err := h.db.ClaimRun(t.Context(), h.member())
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.Error = leads.RunIncomplete, "the portal does not answer"
	if err := h.db.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	reported := func(owners *owner.Owners) bool {
		return slices.ContainsFunc(owners.Statuses(), func(s owner.Status) bool {
			return slices.ContainsFunc(s.Problems, func(p owner.Problem) bool { return p.Part == owner.PartLastPass })
		})
	}
	cfg := h.config()
	owners := owner.NewOwners(cfg)
	stop := h.background(owners.Run)
	h.until("it is reported", func() bool { return reported(owners) })
	stop()
	if slices.Contains(h.passes(), leads.RunImport) {
		t.Error("it ran again at once")
	}
	cfg.Now = func() time.Time { return time.Now().Add(11 * time.Minute) }
	h.work(cfg)
	h.until("it ran again", func() bool { return slices.Contains(h.passes(), leads.RunImport) })
}

func TestNightlyPassIsDueOnceItsTimeHasCome(t *testing.T) {
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
		if got := owner.Due(next, c.last, c.seen, c.now, c.jitter); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestAnOwnerCatchesUpAtStart(t *testing.T) {
	h := open(t, 0)
	h.imported(time.Minute)
	cfg := h.config()
	cfg.CatchUpEvery = time.Hour
	stop := h.work(cfg)
	h.until("what was changed is looked for", func() bool { return slices.Contains(h.passes(), leads.RunChanged) })
	stop()
	if slices.Contains(h.passes(), leads.RunIDs) {
		t.Error("ids were compared although there was no outage")
	}
}

// What lies ahead of now was written before the clock was set back, and nothing waits for it:
// neither the next import after one that was given up, nor what was missed since the last
// sign of an owner.
func TestNothingWaitsForAClockThatWasSetBack(t *testing.T) {
	h := open(t, 3)
	h.imported(time.Minute)
	if _, err := h.db.RaiseEpoch(t.Context(), h.member(), "before"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.db.Beat(t.Context(), h.member()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunImport}); err != nil {
		t.Fatal(err)
	}
	run, _, err := h.db.ClaimRun(t.Context(), h.member())
	if err != nil {
		t.Fatal(err)
	}
	run.State, run.Error, run.FinishedAt = leads.RunIncomplete, "the portal does not answer", time.Now()
	if err := h.db.SaveRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	cfg := h.config()
	cfg.CatchUpEvery = time.Hour
	cfg.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	h.work(cfg)
	h.until("ids are compared", func() bool { return slices.Contains(h.passes(), leads.RunIDs) })
	h.until("the import ran again", func() bool {
		runs, err := h.db.Runs(t.Context(), h.member(), 100)
		return err == nil && slices.ContainsFunc(runs, func(r leads.Run) bool { return r.Mode == leads.RunImport && r.ID != run.ID && r.Scanned == 3 })
	})
}

func TestNoCatchUpBeforeTheImport(t *testing.T) {
	h := open(t, 0)
	cfg := h.config()
	cfg.CatchUpEvery = 10 * time.Millisecond
	h.work(cfg)
	h.until("it is served", func() bool { return strings.Contains(h.log.String(), "took over portal") })
	if modes := h.passes(); len(modes) != 0 {
		t.Errorf("passes before the import: %v", modes)
	}
}

func TestChangesAreLookedForAtAnInterval(t *testing.T) {
	h := open(t, 0)
	h.imported(time.Minute)
	cfg := h.config()
	cfg.CatchUpEvery = 20 * time.Millisecond
	h.work(cfg)
	h.until("three passes", func() bool {
		passes := 0
		for _, mode := range h.passes() {
			if mode == leads.RunChanged {
				passes++
			}
		}
		return passes >= 3
	})
}
