package consumers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

func TestNoticesBecomeRows(t *testing.T) {
	h := open(t, 120)
	h.notify("ONCRMLEADADD", h.ids()...)
	h.work(h.config("one"))
	h.until("all leads are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 120 && h.allHandled() })
	h.wantEqual()
	if n := h.script.reads.Load(); n > 2 {
		t.Errorf("%d reads for one backlog", n)
	}
}

// A lone edit is read at once; reads of a stream of edits begin 300 ms apart.
func TestOnlyAReadThatFollowsAnotherWaits(t *testing.T) {
	last := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		last, now time.Time
		want      time.Duration
	}{
		{time.Time{}, last, 0},
		{last, last, 300 * time.Millisecond},
		{last, last.Add(100 * time.Millisecond), 200 * time.Millisecond},
		{last, last.Add(300 * time.Millisecond), 0},
		{last, last.Add(time.Hour), 0},
		{last, last.Add(-time.Hour), 0}, // the clock was set back
	} {
		if got := consumers.UntilNextRead(test.last, test.now); got != test.want {
			t.Errorf("the last read began %s, now is %s: waits %s, want %s", test.last, test.now, got, test.want)
		}
	}
}

// readerFunc is a Reader.
type readerFunc func(context.Context, []int64) ([]leads.Snapshot, error)

func (f readerFunc) Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error) {
	return f(ctx, ids)
}

// waitedFor is a lock that somebody holds for a while.
type waitedFor struct {
	sync.Mutex

	held func()
}

func (l *waitedFor) Lock() {
	l.held()
	l.Mutex.Lock()
}

// What the next read waits for is the beginning of the last, and not when its turn was asked for:
// a pass may hold the read order for longer than the pause between reads.
func TestReadBeginsWhenItIsItsTurn(t *testing.T) {
	h := open(t, 1)
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := &consumers.Worker{
		MemberID: h.member(), Bus: h.bus, Mirror: h.db, Now: clock.Now, Stats: h.stats, Wake: func() {}, Log: h.log.Logger(),
		ReadOrder: &waitedFor{held: func() { clock.Advance(time.Minute) }},
	}
	w.Reader = readerFunc(func(context.Context, []int64) ([]leads.Snapshot, error) {
		if began := w.ReadAt(); !began.Equal(clock.Now()) {
			t.Errorf("the read is said to have begun %s ago", clock.Now().Sub(began))
		}
		stop()
		return nil, nil
	})
	h.notify("ONCRMLEADADD", h.ids()...)
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if ctx.Err() == nil {
		t.Error("nothing was read")
	}
}

// However often a lead changes while it is being read, one more read follows, and it is sent
// after the last notice.
func TestEditsDuringAReadCostOneReadMore(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	begun, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.script.set(nil, func([]leads.Snapshot) {
		once.Do(func() { close(begun); <-finish })
	})
	h.notify("ONCRMLEADADD", id)
	h.work(h.config("one"))
	<-begun
	for range 100 {
		h.edit(id, "edited")
		h.notify("ONCRMLEADUPDATE", id)
	}
	h.edit(id, "the last word")
	h.notify("ONCRMLEADUPDATE", id)
	close(finish)
	h.until("the last word is written", func() bool { return h.stats.Outcomes(leads.Updated) == 1 && h.allHandled() })
	h.wantEqual()
	if n := h.script.reads.Load(); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestFailingLeadIsParkedAndOthersGoOn(t *testing.T) {
	h := open(t, 5)
	ids := h.ids()
	h.script.set(nil, func(snaps []leads.Snapshot) {
		for i := range snaps {
			if snaps[i].LeadID == ids[2] {
				snaps[i].Err = errors.New("not a lead: the card is a poem")
			}
		}
	})
	h.notify("ONCRMLEADADD", ids...)
	h.work(h.config("one"))
	h.until("the others are written and it is parked", func() bool {
		return h.stats.Outcomes(leads.Inserted) == 4 && h.stats.Parked.Load() == 1 && h.allHandled()
	})
	letters := h.deadLetters()
	letter, ok := letters[ids[2]]
	if !ok || len(letters) != 1 {
		t.Fatalf("dead letters %v", letters)
	}
	if !strings.Contains(letter.Reason, "a poem") || letter.Attempts != 3 || letter.FirstAt.IsZero() || letter.LastAt.Before(letter.FirstAt) {
		t.Errorf("dead letter %+v", letter)
	}
}

// A lead's failures are counted where the notices that replace each other do not reset
// them, and are forgotten when it succeeds, its dead letter included.
func TestFailuresAreCountedAcrossNoticesAndOwners(t *testing.T) {
	h := open(t, 2)
	ids := h.ids()
	var failing atomic.Bool
	failing.Store(true)
	h.script.set(nil, func(snaps []leads.Snapshot) {
		for i := range snaps {
			if snaps[i].LeadID == ids[0] && failing.Load() {
				snaps[i].Err = errors.New("a poem")
			}
		}
	})
	cfg := h.config("one")
	cfg.RetryPolicy = func(attempts int) (time.Duration, bool) { return time.Hour, attempts < 4 }
	stop := h.work(cfg)
	attempts := func() int {
		failing, err := h.db.Failing(t.Context(), h.member())
		if err != nil {
			t.Fatal(err)
		}
		if len(failing) == 0 {
			return 0
		}
		return failing[0].Attempts
	}
	for n := 1; n <= 4; n++ {
		if n == 3 {
			stop()
			h.work(h.config("two")) // with shorter delays, but the hour has not passed
		}
		h.notify("ONCRMLEADUPDATE", ids[0])
		h.until("it was tried", func() bool { return attempts() == n && h.allHandled() })
	}
	if letter, ok := h.deadLetters()[ids[0]]; !ok || letter.Attempts != 4 {
		t.Fatalf("dead letters %+v", h.deadLetters())
	}
	failing.Store(false)
	h.notify("ONCRMLEADUPDATE", ids[0])
	h.until("it is written and forgotten", func() bool { return h.written(ids[0]) && attempts() == 0 && len(h.deadLetters()) == 0 })
}

// The clock may be set back while a lead waits for its next attempt.
func TestFailedLeadDoesNotWaitForAClockSetBack(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	var failing atomic.Bool
	failing.Store(true)
	h.script.set(nil, func(snaps []leads.Snapshot) {
		if failing.Load() {
			snaps[0].Err = errors.New("a poem")
		}
	})
	ahead, err := repo.Open(t.Context(), repo.Config{URL: h.url, Now: func() time.Time { return time.Now().Add(72 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close()
	cfg := h.config("one")
	cfg.RetryPolicy = func(int) (time.Duration, bool) { return time.Hour, true }
	cfg.Mirror, cfg.Now = mirrorOf(ahead), func() time.Time { return time.Now().Add(72 * time.Hour) }
	stop := h.work(cfg)
	h.notify("ONCRMLEADUPDATE", id)
	h.until("it failed", func() bool {
		failing, err := h.db.Failing(t.Context(), h.member())
		return err == nil && len(failing) == 1 && h.allHandled()
	})
	stop()
	failing.Store(false)
	cfg.Mirror, cfg.Now = mirrorOf(h.db), time.Now
	h.work(cfg)
	h.until("it is written", func() bool { return h.written(id) })
}

// Somebody has paused the consumer: nothing fails then, and no notice comes.
func TestAPausedConsumerWorksAgain(t *testing.T) {
	h := open(t, 2)
	ids := h.ids()
	var later atomic.Int64 // than the time of this machine
	cfg := h.config("one")
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	h.work(cfg)
	h.notify("ONCRMLEADUPDATE", ids[0])
	h.until("the first is written", func() bool { return h.written(ids[0]) && h.allHandled() })
	if _, err := h.bus.JetStream().PauseConsumer(t.Context(), events.StreamNotices, "notices-"+h.member(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.notify("ONCRMLEADUPDATE", ids[1])
	later.Store(int64(time.Minute))
	h.until("the second is written", func() bool { return h.written(ids[1]) })
}

func TestFailedLeadIsRetriedWithoutANewNotice(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	var reads int
	h.script.set(nil, func(snaps []leads.Snapshot) {
		if reads++; reads == 1 {
			snaps[0].Err = errors.New("a poem")
		}
	})
	h.notify("ONCRMLEADADD", id)
	h.work(h.config("one"))
	h.until("it is written", func() bool { return h.written(id) })
	if len(h.deadLetters()) != 0 || h.stats.Parked.Load() != 0 {
		t.Error("the lead was parked")
	}
}

func TestLastCallbackOfEachLeadIsKept(t *testing.T) {
	h := open(t, 2)
	ids := h.ids()
	h.notify("ONCRMLEADADD", ids...)
	h.work(h.config("one"))
	h.until("they are written", func() bool { return h.allHandled() && h.written(ids[1]) })
	h.notify("ONCRMLEADUPDATE", ids[1])
	var got []leads.LastCallback
	h.until("the second callback is noted", func() bool {
		var err error
		if got, err = h.db.LastCallbacks(t.Context(), h.member(), ids); err != nil {
			t.Fatal(err)
		}
		return len(got) == 2 && got[1].Event == "ONCRMLEADUPDATE"
	})
	if got[0].Event != "ONCRMLEADADD" || !got[1].ReceivedAt.After(got[0].ReceivedAt) {
		t.Errorf("kept %+v", got)
	}
}

// After a kill the server may still wait for the dead owner's acknowledgements: a new owner
// gets every notice that is not acknowledged, at once.
func TestNewOwnerGetsWhatADeadOneHadTaken(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	h.notify("ONCRMLEADADD", id)
	consumer, err := events.Notices(t.Context(), h.bus, h.member())
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := consumer.Next(); err != nil || msg.InProgress() != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	h.work(h.config("heir"))
	h.until("it is written", func() bool { return h.written(id) })
	t.Logf("after %s; the dead one's time would have been up after 5 s", time.Since(begun).Round(time.Millisecond))
}

func TestDeleteCallbackAndNotFoundMakeATombstone(t *testing.T) {
	h := open(t, 2)
	ids := h.ids()
	h.notify("ONCRMLEADADD", ids...)
	h.work(h.config("one"))
	h.until("both are written", func() bool { return h.written(ids[0]) && h.written(ids[1]) && h.allHandled() })
	if err := h.portal.Delete(ids[0]); err != nil {
		t.Fatal(err)
	}
	h.notify("ONCRMLEADDELETE", ids[0])
	h.until("the row is a tombstone", func() bool { return h.deleted(ids[0]) })
	// A false delete callback deletes nothing.
	reads := h.script.reads.Load()
	h.notify("ONCRMLEADDELETE", ids[1])
	h.until("the callback is handled", func() bool { return h.allHandled() && h.script.reads.Load() > reads })
	if !h.written(ids[1]) {
		t.Error("a lead that is there was deleted")
	}
}

func TestNotFoundAloneWaitsForASecondLook(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	h.notify("ONCRMLEADADD", id)
	h.work(h.config("one"))
	h.until("it is written", func() bool { return h.written(id) })
	if err := h.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	h.notify("ONCRMLEADUPDATE", id)
	h.until("the second look finds it absent again", func() bool { return h.deleted(id) })
	if n := h.stats.Outcomes(leads.Missing); n < 1 {
		t.Error("the first look alone deleted it")
	}
}

func TestNotFoundWithoutARowWritesNothing(t *testing.T) {
	h := open(t, 0)
	h.work(h.config("one"))
	h.notify("ONCRMLEADDELETE", 77)
	h.until("it was read", func() bool { return h.script.reads.Load() > 0 && h.allHandled() })
	if _, ok := h.row(77); ok {
		t.Error("there is a row")
	}
}

func TestFailingPortalLosesNoNoticeAndNoLead(t *testing.T) {
	h := open(t, 3)
	var failures int
	h.script.set(func(context.Context, []int64) error {
		if failures++; failures <= 2 {
			return errors.New("the portal shows a web page")
		}
		return nil
	}, nil)
	h.notify("ONCRMLEADADD", h.ids()...)
	h.work(h.config("one"))
	h.until("the portal works again and the leads are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 3 })
	h.wantEqual()
	if n := h.stats.Parked.Load(); n != 0 || len(h.deadLetters()) != 0 {
		t.Errorf("%d notices parked", n)
	}
}

func TestMalformedNoticesDoNotStopTheRest(t *testing.T) {
	h := open(t, 1)
	if _, err := h.bus.JetStream().Publish(t.Context(), "bitrix24.notices."+h.member()+".poem", []byte("roses are red")); err != nil {
		t.Fatal(err)
	}
	h.notify("ONCRMLEADADD", h.ids()...)
	h.work(h.config("one"))
	h.until("the lead is written", func() bool { return h.stats.Outcomes(leads.Inserted) == 1 && h.allHandled() })
	if log := h.log.String(); strings.Contains(log, "roses") || !strings.Contains(log, "message is not a notice, skipping it") {
		t.Error("the log is wrong")
	}
}

func TestStopFinishesTheReadUnderWay(t *testing.T) {
	h := open(t, 1)
	id := h.ids()[0]
	begun, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.script.set(func(context.Context, []int64) error {
		once.Do(func() { close(begun); <-finish })
		return nil
	}, nil)
	h.notify("ONCRMLEADADD", id)
	stop := h.work(h.config("one"))
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(finish)
	<-stopped
	if !h.written(id) || !h.allHandled() {
		t.Error("the read under way was discarded")
	}
}

func TestNoticesMayComeInAnyOrder(t *testing.T) {
	h := open(t, 4)
	ids := h.ids()
	slices.Reverse(ids)
	h.notify("ONCRMLEADUPDATE", ids...) // updates before anything was added
	h.notify("ONCRMLEADADD", ids...)    // late
	h.work(h.config("one"))
	h.until("all are written", func() bool { return h.stats.Outcomes(leads.Inserted) == 4 && h.allHandled() })
	h.wantEqual()
}

// brokenReader is a portal that cannot be read.
type brokenReader struct{}

func (brokenReader) Leads(context.Context, []int64) ([]leads.Snapshot, error) {
	return nil, errors.New("the portal does not answer")
}

// A callback is heard before its lead is read, and whether or not that works; what came
// another way is none.
func TestCallbacksAreHeardBeforeTheyAreRead(t *testing.T) {
	h := open(t, 0)
	came := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for id, n := range []events.Notice{
		{Cause: leads.CauseEvent, ReceivedAt: came}, {Cause: leads.CauseEvent, ReceivedAt: came.Add(-time.Minute)}, {Cause: leads.CauseOffline, ReceivedAt: came.Add(time.Minute)},
	} {
		n.Ref = h.ref(int64(id + 1))
		if err := events.PublishNotice(t.Context(), h.bus, n); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(chan time.Time, 100)
	w := &consumers.Worker{
		MemberID: h.member(), Bus: h.bus, Reader: brokenReader{}, Mirror: h.db, ReadOrder: &sync.Mutex{}, Now: time.Now, Stats: h.stats,
		Heard: func(at time.Time) { heard <- at }, Wake: func() {}, Log: h.log.Logger(),
	}
	stop := background(t, w.Run)
	if at := <-heard; !at.Equal(came) {
		t.Errorf("heard at %s, want %s", at, came)
	}
	stop()
}
